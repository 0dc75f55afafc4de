-- Bits of numbers and of binaries. Of two binaries of different length, the shorter is padded with
-- zeros on the side that is named; without one it is an error.

CREATE OR REPLACE MACRO _sf.main.whole_
  (x BIGINT) AS x,
  (x BLOB) AS x,
  (x VARCHAR) AS CAST(round(CAST(x AS DECIMAL(38, 9))) AS BIGINT),
  (x) AS CAST(round(x) AS BIGINT);
CREATE OR REPLACE MACRO _sf.main.padded_bits_(a, n, side) AS
  CAST(unhex(CASE side
    WHEN 'LEFT' THEN lpad(hex(a), CAST(2 * n AS INTEGER), '0')
    WHEN 'RIGHT' THEN rpad(hex(a), CAST(2 * n AS INTEGER), '0')
    ELSE CASE WHEN octet_length(a) = n THEN hex(a)
              ELSE error('Binary values must be of the same length') END END) AS BIT);
CREATE OR REPLACE MACRO _sf.main.longer_(a, b) AS greatest(octet_length(a), octet_length(b));
CREATE OR REPLACE MACRO _sf.main.bitand_(a BLOB, b) AS
    CAST(_sf.main.padded_bits_(a, _sf.main.longer_(a, b), '')
         & _sf.main.padded_bits_(b, _sf.main.longer_(a, b), '') AS BLOB),
  (a BLOB, b, side) AS
    CAST(_sf.main.padded_bits_(a, _sf.main.longer_(a, b), upper(side))
         & _sf.main.padded_bits_(b, _sf.main.longer_(a, b), upper(side)) AS BLOB),
  (a, b) AS CAST(a AS BIGINT) & CAST(b AS BIGINT);
CREATE OR REPLACE MACRO _sf.main.bitor_(a BLOB, b) AS
    CAST(_sf.main.padded_bits_(a, _sf.main.longer_(a, b), '')
         | _sf.main.padded_bits_(b, _sf.main.longer_(a, b), '') AS BLOB),
  (a BLOB, b, side) AS
    CAST(_sf.main.padded_bits_(a, _sf.main.longer_(a, b), upper(side))
         | _sf.main.padded_bits_(b, _sf.main.longer_(a, b), upper(side)) AS BLOB),
  (a, b) AS CAST(a AS BIGINT) | CAST(b AS BIGINT);
CREATE OR REPLACE MACRO _sf.main.bitxor_(a BLOB, b) AS
    CAST(xor(_sf.main.padded_bits_(a, _sf.main.longer_(a, b), ''),
             _sf.main.padded_bits_(b, _sf.main.longer_(a, b), '')) AS BLOB),
  (a BLOB, b, side) AS
    CAST(xor(_sf.main.padded_bits_(a, _sf.main.longer_(a, b), upper(side)),
             _sf.main.padded_bits_(b, _sf.main.longer_(a, b), upper(side))) AS BLOB),
  (a, b) AS xor(CAST(a AS BIGINT), CAST(b AS BIGINT));
CREATE OR REPLACE MACRO _sf.main.bitnot_(a BLOB) AS CAST(~CAST(a AS BIT) AS BLOB),
  (a) AS ~CAST(a AS BIGINT);
CREATE OR REPLACE MACRO _sf.main.bitshiftleft_(a BLOB, n) AS
    CAST(CAST(a AS BIT) << CAST(n AS INTEGER) AS BLOB),
  (a, n) AS CASE WHEN a < 0 THEN CAST(a AS HUGEINT) * (CAST(1 AS HUGEINT) << CAST(n AS HUGEINT))
    ELSE CAST(a AS HUGEINT) << CAST(n AS HUGEINT) END;
CREATE OR REPLACE MACRO _sf.main.bitshiftright_(a BLOB, n) AS
    CAST(CAST(a AS BIT) >> CAST(n AS INTEGER) AS BLOB),
  (a, n) AS CAST(a AS HUGEINT) >> CAST(n AS HUGEINT);
CREATE OR REPLACE MACRO _sf.main.bitcount(a) AS CAST(bit_count(CAST(a AS BIGINT)) AS BIGINT);

CREATE OR REPLACE MACRO _sf.main.joined_bytes_(a, b) AS CAST(a AS BLOB) || CAST(b AS BLOB);
