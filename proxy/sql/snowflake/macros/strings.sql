-- Texts.

CREATE OR REPLACE MACRO _sf.main.octet_length_(s) AS
  CASE typeof(s) WHEN 'BLOB' THEN octet_length(CAST(s AS BLOB))
    ELSE strlen(CAST(s AS VARCHAR)) END;

-- The two halves of the digest as numbers.
CREATE OR REPLACE MACRO _sf.main.md5_number_lower64(s) AS
  CAST('0x' || right(md5(s), 16) AS UBIGINT);
CREATE OR REPLACE MACRO _sf.main.md5_number_upper64(s) AS
  CAST('0x' || left(md5(s), 16) AS UBIGINT);
