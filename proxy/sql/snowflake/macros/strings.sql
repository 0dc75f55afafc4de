-- Texts.

CREATE OR REPLACE MACRO _sf.main.octet_length_(s) AS
  CASE typeof(s) WHEN 'BLOB' THEN octet_length(CAST(s AS BLOB))
    ELSE strlen(CAST(s AS VARCHAR)) END;
