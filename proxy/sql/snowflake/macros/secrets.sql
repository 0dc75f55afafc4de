-- ENCRYPT and DECRYPT; see ciphers.py. What is NULL and optional was left out.

CREATE OR REPLACE MACRO _sf.main.bytes_(x) AS
  CASE typeof(x) WHEN 'BLOB' THEN CAST(x AS BLOB) ELSE encode(CAST(x AS VARCHAR)) END;
CREATE OR REPLACE MACRO _sf.main.bytes_or_none_(x) AS
  coalesce(_sf.main.bytes_(x), CAST('' AS BLOB));
-- The one argument between passphrase and end is a method if it reads as one.
CREATE OR REPLACE MACRO _sf.main.is_method_(m) AS
  typeof(m) = 'VARCHAR' AND regexp_full_match(CAST(m AS VARCHAR), '(?i)AES(-[A-Z]+)?(\s*/.*)?');
CREATE OR REPLACE MACRO _sf.main.method_in_(m) AS
  CASE WHEN _sf.main.is_method_(m) THEN CAST(m AS VARCHAR) ELSE 'AES-GCM' END;
CREATE OR REPLACE MACRO _sf.main.data_in_(m) AS
  CASE WHEN _sf.main.is_method_(m) THEN CAST('' AS BLOB) ELSE _sf.main.bytes_or_none_(m) END;
CREATE OR REPLACE MACRO _sf.main.encrypt(x, p) AS
    sealed_(_sf.main.bytes_(x), p, CAST('' AS BLOB), 'AES-GCM'),
  (x, p, m) AS sealed_(_sf.main.bytes_(x), p, _sf.main.data_in_(m), _sf.main.method_in_(m)),
  (x, p, a, m) AS
    sealed_(_sf.main.bytes_(x), p, _sf.main.bytes_or_none_(a), coalesce(m, 'AES-GCM'));
CREATE OR REPLACE MACRO _sf.main.decrypt(x, p) AS
    opened_(CAST(x AS BLOB), p, CAST('' AS BLOB), 'AES-GCM'),
  (x, p, m) AS opened_(CAST(x AS BLOB), p, _sf.main.data_in_(m), _sf.main.method_in_(m)),
  (x, p, a, m) AS
    opened_(CAST(x AS BLOB), p, _sf.main.bytes_or_none_(a), coalesce(m, 'AES-GCM'));
CREATE OR REPLACE MACRO _sf.main.try_decrypt(x, p) AS
    try_opened_(CAST(x AS BLOB), p, CAST('' AS BLOB), 'AES-GCM'),
  (x, p, m) AS try_opened_(CAST(x AS BLOB), p, _sf.main.data_in_(m), _sf.main.method_in_(m)),
  (x, p, a, m) AS
    try_opened_(CAST(x AS BLOB), p, _sf.main.bytes_or_none_(a), coalesce(m, 'AES-GCM'));
CREATE OR REPLACE MACRO _sf.main.encrypt_raw(x, k, iv) AS CAST(sealed_raw_(
    CAST(x AS BLOB), CAST(k AS BLOB), _sf.main.bytes_or_none_(iv), CAST('' AS BLOB), 'AES-GCM') AS JSON),
  (x, k, iv, m) AS CAST(sealed_raw_(CAST(x AS BLOB), CAST(k AS BLOB), _sf.main.bytes_or_none_(iv),
    _sf.main.data_in_(m), _sf.main.method_in_(m)) AS JSON),
  (x, k, iv, a, m) AS CAST(sealed_raw_(CAST(x AS BLOB), CAST(k AS BLOB), _sf.main.bytes_or_none_(iv),
    _sf.main.bytes_or_none_(a), coalesce(m, 'AES-GCM')) AS JSON);
CREATE OR REPLACE MACRO _sf.main.decrypt_raw(x, k, iv) AS opened_raw_(
    CAST(x AS BLOB), CAST(k AS BLOB), _sf.main.bytes_or_none_(iv), CAST('' AS BLOB), 'AES-ECB', CAST('' AS BLOB)),
  (x, k, iv, t) AS opened_raw_(CAST(x AS BLOB), CAST(k AS BLOB), _sf.main.bytes_or_none_(iv),
    CAST('' AS BLOB), _sf.main.method_in_(t),
    CASE WHEN _sf.main.is_method_(t) THEN CAST('' AS BLOB) ELSE _sf.main.bytes_or_none_(t) END),
  (x, k, iv, m, t) AS opened_raw_(CAST(x AS BLOB), CAST(k AS BLOB), _sf.main.bytes_or_none_(iv),
    _sf.main.data_in_(m),
    CASE WHEN _sf.main.is_method_(t) THEN CAST(t AS VARCHAR) ELSE _sf.main.method_in_(m) END,
    CASE WHEN _sf.main.is_method_(t) THEN CAST('' AS BLOB) ELSE _sf.main.bytes_or_none_(t) END),
  (x, k, iv, a, m, t) AS opened_raw_(CAST(x AS BLOB), CAST(k AS BLOB), _sf.main.bytes_or_none_(iv),
    _sf.main.bytes_or_none_(a), coalesce(m, 'AES-GCM'), _sf.main.bytes_or_none_(t));
CREATE OR REPLACE MACRO _sf.main.try_decrypt_raw(x, k, iv) AS try_opened_raw_(
    CAST(x AS BLOB), CAST(k AS BLOB), _sf.main.bytes_or_none_(iv), CAST('' AS BLOB), 'AES-ECB', CAST('' AS BLOB)),
  (x, k, iv, t) AS try_opened_raw_(CAST(x AS BLOB), CAST(k AS BLOB), _sf.main.bytes_or_none_(iv),
    CAST('' AS BLOB), _sf.main.method_in_(t),
    CASE WHEN _sf.main.is_method_(t) THEN CAST('' AS BLOB) ELSE _sf.main.bytes_or_none_(t) END),
  (x, k, iv, m, t) AS try_opened_raw_(CAST(x AS BLOB), CAST(k AS BLOB), _sf.main.bytes_or_none_(iv),
    _sf.main.data_in_(m),
    CASE WHEN _sf.main.is_method_(t) THEN CAST(t AS VARCHAR) ELSE _sf.main.method_in_(m) END,
    CASE WHEN _sf.main.is_method_(t) THEN CAST('' AS BLOB) ELSE _sf.main.bytes_or_none_(t) END),
  (x, k, iv, a, m, t) AS try_opened_raw_(CAST(x AS BLOB), CAST(k AS BLOB), _sf.main.bytes_or_none_(iv),
    _sf.main.bytes_or_none_(a), coalesce(m, 'AES-GCM'), _sf.main.bytes_or_none_(t));

-- See compression.py.
CREATE OR REPLACE MACRO _sf.main.compress(x, method) AS packed_(_sf.main.bytes_(x), method);
CREATE OR REPLACE MACRO _sf.main.decompress_binary(x, method) AS unpacked_(CAST(x AS BLOB), method);
CREATE OR REPLACE MACRO _sf.main.decompress_string(x, method) AS
  decode(unpacked_(CAST(x AS BLOB), method));
