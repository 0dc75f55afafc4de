-- Casts. A VARIANT is DuckDB's JSON; taking a scalar out of one drops the quotes of a string and
-- turns JSON null into NULL.

-- A FLOAT's text has nine decimals.
CREATE OR REPLACE MACRO _sf.main.float_text_(x) AS
  CASE WHEN isnan(x) THEN 'NaN' ELSE regexp_replace(CAST(CASE WHEN abs(x) BETWEEN 0.0001 AND 10 THEN round(x, 9) ELSE x END
    AS VARCHAR), '\.0$', '') END;

-- A VARIANT's text: of a string without quotes, of XML (xml.sql) as XML.
CREATE OR REPLACE MACRO _sf.main.document_text_(x) AS
  CASE WHEN starts_with(CAST(x AS VARCHAR), '{"$":') AND contains(CAST(x AS VARCHAR), ',"@":"')
       THEN compact_xml_of_(CAST(x AS VARCHAR)) ELSE variant_text_(to_json(x), '$') END;
-- x::VARCHAR. A macro of several forms is chosen by its argument's type, which must be known: in the
-- body of another macro, that of one form is called (`any_text_`, `any_timestamp_`). A jsonb, which is
-- Postgres's, has Postgres's text.
CREATE OR REPLACE MACRO _sf.main.any_text_(x) AS
  CASE typeof(x)
    WHEN 'JSON' THEN _sf.main.document_text_(x)
    WHEN 'TIMESTAMP' THEN strftime(CAST(x AS TIMESTAMP), '%Y-%m-%d %H:%M:%S.%g')
    WHEN 'TIMESTAMP WITH TIME ZONE' THEN
      strftime(CAST(x AS TIMESTAMPTZ), '%Y-%m-%d %H:%M:%S.%g ') || printf('%+03d%02d',
        timezone_hour(CAST(x AS TIMESTAMPTZ)), abs(timezone_minute(CAST(x AS TIMESTAMPTZ))))
    WHEN 'DOUBLE' THEN _sf.main.float_text_(CAST(x AS DOUBLE))
    WHEN 'FLOAT' THEN _sf.main.float_text_(CAST(x AS DOUBLE))
    WHEN 'TIME' THEN strftime(DATE '2000-01-01' + CAST(x AS TIME), '%H:%M:%S')
    WHEN 'BLOB' THEN hex(CAST(x AS BLOB))
    ELSE CAST(x AS VARCHAR) END;
-- An argument that must be a text or a binary.
CREATE OR REPLACE MACRO _sf.main.timeless_text_(x) AS
  CASE typeof(x)
    WHEN 'JSON' THEN _sf.main.document_text_(x)
    WHEN 'DOUBLE' THEN _sf.main.float_text_(CAST(x AS DOUBLE))
    WHEN 'FLOAT' THEN _sf.main.float_text_(CAST(x AS DOUBLE))
    ELSE CAST(x AS VARCHAR) END;
CREATE OR REPLACE MACRO _sf.main.text_
  (x BLOB) AS x,
  (x TIMESTAMP) AS strftime(x, '%Y-%m-%d %H:%M:%S.%g'),
  (x TIMESTAMPTZ) AS _sf.main.any_text_(CAST(x AS TIMESTAMPTZ)),
  (x DATE) AS CAST(x AS VARCHAR),
  (x TIME) AS strftime(DATE '2000-01-01' + x, '%H:%M:%S'),
  (x) AS _sf.main.timeless_text_(x);
-- A text as a number, where numbers are counted; other types stay. (A VARIANT is seen as its JSON.)
CREATE OR REPLACE MACRO _sf.main.any_number_(x) AS x;
CREATE OR REPLACE MACRO _sf.main.number_(x VARCHAR) AS CAST(trim(x, '"') AS DOUBLE), (x) AS x;
-- ... where it is compared with a number: as one that keeps its digits. (JSON null is NULL.)
CREATE OR REPLACE MACRO _sf.main.any_counted_(x) AS x;
CREATE OR REPLACE MACRO _sf.main.counted_text_(x) AS
  CAST(trim(CAST(x AS VARCHAR), '"') AS DECIMAL(38, 12));
CREATE OR REPLACE MACRO _sf.main.counted_
  (x VARCHAR) AS CAST(nullif(trim(x, '"'), 'null') AS DECIMAL(38, 12)),
  (x) AS x;
CREATE OR REPLACE MACRO _sf.main.to_varchar_
  (x TIMESTAMP) AS strftime(x, '%Y-%m-%d %H:%M:%S.%g'),
  (x TIMESTAMPTZ) AS strftime(x, '%Y-%m-%d %H:%M:%S.%g ')
    || printf('%+03d%02d', timezone_hour(x), abs(timezone_minute(x))),
  (x TIMESTAMP_NS) AS strftime(make_timestamp(epoch_ns(x) // 1000), '%Y-%m-%d %H:%M:%S.%g'),
  (x DATE) AS CAST(x AS VARCHAR),
  (x TIME) AS strftime(DATE '2000-01-01' + x, '%H:%M:%S'),
  (x BLOB) AS hex(x),
  (x) AS _sf.main.timeless_text_(x);

-- x::VARCHAR(n): too long is an error, not a cut.
CREATE OR REPLACE MACRO _sf.main.checked_length_(s, n) AS
  CASE WHEN length(s) > n
       THEN error('String ''' || s || ''' is too long and would be truncated in cast')
       ELSE s END;

-- The text of a number. (DuckDB would read `1_000`, and `0x1F` as a whole number.)
CREATE OR REPLACE MACRO _sf.main.only_number_(s) AS
  CASE WHEN contains(s, '_') OR contains(s, 'x') THEN '"' || s || '"' ELSE s END;
-- x::NUMBER(38, 0) and the types that mean it, carried as BIGINT; rounded half away from zero.
CREATE OR REPLACE MACRO _sf.main.to_int_(x) AS
  CASE replace(typeof(x), 'JSONB', 'JSON')
    WHEN 'DOUBLE' THEN CAST(round(CAST(x AS DOUBLE)) AS BIGINT)
    WHEN 'FLOAT' THEN CAST(round(CAST(x AS DOUBLE)) AS BIGINT)
    WHEN 'JSON' THEN CASE json_type(to_json(x))
      WHEN 'DOUBLE'
        THEN CAST(CAST(variant_text_(to_json(x), '$') AS DECIMAL(38, 18)) AS BIGINT)
      ELSE CAST(to_json(x) AS BIGINT) END
    WHEN 'VARCHAR' THEN CAST(_sf.main.only_number_(CAST(x AS VARCHAR)) AS BIGINT)
    ELSE CAST(x AS BIGINT) END;
CREATE OR REPLACE MACRO _sf.main.try_to_int_(x) AS TRY(_sf.main.to_int_(x));

-- A string that names a truth value, whatever its case.
CREATE OR REPLACE MACRO _sf.main.try_truth_(s) AS
  CASE WHEN lower(trim(s)) IN ('true', 't', 'yes', 'y', 'on', '1') THEN true
       WHEN lower(trim(s)) IN ('false', 'f', 'no', 'n', 'off', '0') THEN false END;
CREATE OR REPLACE MACRO _sf.main.truth_(s) AS
  CASE WHEN s IS NOT NULL AND _sf.main.try_truth_(s) IS NULL
       THEN error('Boolean value ''' || s || ''' is not recognized')
       ELSE _sf.main.try_truth_(s) END;
CREATE OR REPLACE MACRO _sf.main.to_boolean(x) AS
  CASE replace(typeof(x), 'JSONB', 'JSON')
    WHEN 'VARCHAR' THEN _sf.main.truth_(CAST(x AS VARCHAR))
    WHEN 'JSON' THEN _sf.main.truth_(variant_text_(to_json(x), '$'))
    WHEN 'DOUBLE' THEN CASE WHEN isfinite(CAST(x AS DOUBLE)) THEN CAST(x AS BOOLEAN)
                            ELSE error('FLOAT value ' || CAST(x AS VARCHAR) || ' is no boolean') END
    ELSE CAST(x AS BOOLEAN) END;
CREATE OR REPLACE MACRO _sf.main.try_to_boolean(x) AS
  CASE replace(typeof(x), 'JSONB', 'JSON')
    WHEN 'VARCHAR' THEN _sf.main.try_truth_(CAST(x AS VARCHAR))
    WHEN 'JSON' THEN _sf.main.try_truth_(variant_text_(to_json(x), '$'))
    ELSE TRY_CAST(x AS BOOLEAN) END;

CREATE OR REPLACE MACRO _sf.main.truthy_(x) AS
  CASE typeof(x) WHEN 'BOOLEAN' THEN CAST(x AS BOOLEAN) ELSE round(CAST(x AS DOUBLE)) <> 0 END;

-- Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size.
CREATE OR REPLACE MACRO _sf.main.since_epoch_(n) AS
  CASE WHEN abs(n) < 31536000000 THEN make_timestamp(CAST(n AS BIGINT) * 1000000)
       WHEN abs(n) < 31536000000000 THEN make_timestamp(CAST(n AS BIGINT) * 1000)
       WHEN abs(n) < 31536000000000000 THEN make_timestamp(CAST(n AS BIGINT))
       ELSE make_timestamp(CAST(n AS BIGINT) // 1000) END;

-- A timestamp without zone is what the clock shows: an offset in the text is dropped.
CREATE OR REPLACE MACRO _sf.main.without_offset_(s) AS
  CASE WHEN contains(s, ':')
       THEN regexp_replace(regexp_replace(trim(s), ' [+-]\d{4} (\d{4})$', ' \1'), '(:[0-9]{2}(\.[0-9]+)?)\s*([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$', '\1')
       ELSE trim(s) END;
-- Whether a text begins as ISO 8601 has it. (DuckDB would read `epoch`, `infinity` and `02/03/24` too.)
CREATE OR REPLACE MACRO _sf.main.is_iso_(s) AS substr(ltrim(s), 5, 1) IN ('-', '/');
CREATE OR REPLACE MACRO _sf.main.iso_date_(s) AS
  CASE WHEN _sf.main.is_iso_(s) THEN TRY_CAST(s AS DATE) END;
CREATE OR REPLACE MACRO _sf.main.clock_(s) AS
  CASE WHEN NOT starts_with(ltrim(s), '24') THEN TRY_CAST(s AS TIME) END;
-- The formats that Snowflake's AUTO recognises, besides ISO 8601.
CREATE OR REPLACE MACRO _sf.main.read_timestamp_(s, plain) AS
  coalesce(
    CASE WHEN _sf.main.is_iso_(plain) THEN TRY_CAST(plain AS TIMESTAMP) END,
    try_strptime(CASE WHEN regexp_matches(plain, '[0-9]') THEN plain END, [
      '%a, %d %b %Y %H:%M:%S', '%a, %d %b %Y %I:%M:%S %p', '%m/%d/%Y %H:%M:%S', '%m/%d/%Y',
      '%d-%b-%Y', '%d-%B-%Y', '%d-%b-%y', '%a %b %d %H:%M:%S %Y', '%m/%d/%Y %H:%M','%Y/%m/%d', '%Y-%m-%dT%H:%M', '%Y-%m-%d %H:%M', '%Y-%m-%dT%H',
      '%Y-%m-%d %H']),
    CAST(CASE WHEN TRY_CAST(s AS TIMESTAMP) IS NULL THEN s ELSE '"' || s || '"' END AS TIMESTAMP));
CREATE OR REPLACE MACRO _sf.main.auto_timestamp_(s) AS
  list_transform([s], lambda w: CASE WHEN regexp_full_match(trim(w), '-?[0-9]+')
       THEN _sf.main.since_epoch_(CAST(trim(w) AS BIGINT))
       ELSE _sf.main.read_timestamp_(w, _sf.main.without_offset_(w)) END)[1];
CREATE OR REPLACE MACRO _sf.main.fixed_moment_(s) AS
  CASE WHEN regexp_full_match(trim(s), '-?[0-9]+')
       THEN _sf.main.since_epoch_(CAST(trim(s) AS BIGINT))
       ELSE _sf.main.read_timestamp_(s, _sf.main.without_offset_(s)) END;
CREATE OR REPLACE MACRO _sf.main.seconds_since_epoch_(n) AS
  make_timestamp(CAST(round(n * 1000000) AS BIGINT));

CREATE OR REPLACE MACRO _sf.main.number_timestamp_(x) AS
  _sf.main.seconds_since_epoch_(TRY_CAST(CAST(x AS VARCHAR) AS DECIMAL(38, 9)));
CREATE OR REPLACE MACRO _sf.main.any_timestamp_(x) AS
  CASE replace(typeof(x), 'JSONB', 'JSON')
    WHEN 'VARCHAR' THEN _sf.main.auto_timestamp_(CAST(x AS VARCHAR))
    WHEN 'JSON' THEN CASE WHEN json_type(to_json(x)) IN ('BIGINT', 'UBIGINT')
      -- A VARIANT's number is a TIMESTAMP_LTZ, whose clock is the session's.
      THEN CAST(timezone('UTC', _sf.main.auto_timestamp_(variant_text_(to_json(x), '$'))) AS TIMESTAMP)
      ELSE _sf.main.auto_timestamp_(variant_text_(to_json(x), '$')) END
    WHEN 'DATE' THEN TRY_CAST(x AS TIMESTAMP)
    WHEN 'TIMESTAMP' THEN TRY_CAST(x AS TIMESTAMP)
    WHEN 'TIMESTAMP WITH TIME ZONE' THEN TRY_CAST(x AS TIMESTAMP)
    ELSE _sf.main.number_timestamp_(x) END;
CREATE OR REPLACE MACRO _sf.main.fixed_timestamp_(x) AS
  CASE typeof(x)
    WHEN 'VARCHAR' THEN _sf.main.fixed_moment_(CAST(x AS VARCHAR))
    WHEN 'DATE' THEN TRY_CAST(x AS TIMESTAMP)
    WHEN 'TIMESTAMP' THEN TRY_CAST(x AS TIMESTAMP)
    WHEN 'TIMESTAMP WITH TIME ZONE' THEN TRY_CAST(x AS TIMESTAMP)
    ELSE _sf.main.number_timestamp_(x) END;
CREATE OR REPLACE MACRO _sf.main.fixed_date_(x) AS
  CASE typeof(x)
    WHEN 'VARCHAR' THEN coalesce(_sf.main.iso_date_(CAST(x AS VARCHAR)),
                                 CAST(_sf.main.fixed_moment_(CAST(x AS VARCHAR)) AS DATE))
    ELSE CAST(_sf.main.fixed_timestamp_(x) AS DATE) END;
CREATE OR REPLACE MACRO _sf.main.fixed_time_(x) AS
  CASE typeof(x)
    WHEN 'VARCHAR' THEN coalesce(_sf.main.clock_(CAST(x AS VARCHAR)),
                                 CAST(_sf.main.fixed_moment_(CAST(x AS VARCHAR)) AS TIME))
    ELSE CAST(_sf.main.fixed_timestamp_(x) AS TIME) END;
CREATE OR REPLACE MACRO _sf.main.any_date_(x) AS
  CASE typeof(x)
    WHEN 'VARCHAR' THEN coalesce(_sf.main.iso_date_(CAST(x AS VARCHAR)),
                                 CAST(_sf.main.auto_timestamp_(CAST(x AS VARCHAR)) AS DATE))
    ELSE CAST(_sf.main.any_timestamp_(x) AS DATE) END;
CREATE OR REPLACE MACRO _sf.main.any_time_(x) AS
  CASE replace(typeof(x), 'JSONB', 'JSON')
    WHEN 'VARCHAR' THEN coalesce(_sf.main.clock_(CAST(x AS VARCHAR)),
                                 CAST(_sf.main.auto_timestamp_(CAST(x AS VARCHAR)) AS TIME))
    WHEN 'JSON' THEN coalesce(_sf.main.clock_(variant_text_(to_json(x), '$')),
      CAST(_sf.main.auto_timestamp_(variant_text_(to_json(x), '$')) AS TIME))
    ELSE CAST(_sf.main.any_timestamp_(x) AS TIME) END;
CREATE OR REPLACE MACRO _sf.main.to_timestamp_
  (x TIMESTAMP) AS x,
  (x TIMESTAMPTZ) AS CAST(x AS TIMESTAMP),
  (x TIMESTAMP_NS) AS make_timestamp(epoch_ns(x) // 1000),
  (x DATE) AS CAST(x AS TIMESTAMP),
  (x) AS _sf.main.any_timestamp_(x);
CREATE OR REPLACE MACRO _sf.main.to_date_
  (x DATE) AS x,
  (x TIMESTAMP) AS CAST(x AS DATE),
  (x TIMESTAMPTZ) AS CAST(CAST(x AS TIMESTAMP) AS DATE),
  (x) AS _sf.main.any_date_(x);
CREATE OR REPLACE MACRO _sf.main.to_time_
  (x TIME) AS x,
  (x TIMESTAMP) AS CAST(x AS TIME),
  (x TIMESTAMPTZ) AS CAST(CAST(x AS TIMESTAMP) AS TIME),
  (x) AS _sf.main.any_time_(x);
-- A text without an offset is in the session's zone.
CREATE OR REPLACE MACRO _sf.main.text_with_zone_(s) AS
  CASE
    WHEN regexp_full_match(trim(s), '.*:[0-9]{2}(\.[0-9]+)?\s*([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)')
    THEN TRY_CAST(_sf.main.auto_timestamp_(s) AS VARCHAR) || regexp_extract(
      replace(upper(trim(s)), 'Z', '+00:00'), '[+-][0-9]{2}(:?[0-9]{2})?$')
    WHEN regexp_full_match(trim(s), '-?[0-9]+')
    THEN CAST(_sf.main.auto_timestamp_(s) AS VARCHAR) || '+00'
    ELSE CAST(_sf.main.auto_timestamp_(s) AS VARCHAR) END;
CREATE OR REPLACE MACRO _sf.main.to_timestamptz_
  (x TIMESTAMPTZ) AS x,
  (x TIMESTAMP) AS CAST(x AS TIMESTAMPTZ),
  (x DATE) AS CAST(x AS TIMESTAMPTZ),
  (x) AS CASE replace(typeof(x), 'JSONB', 'JSON')
    WHEN 'VARCHAR' THEN _sf.main.text_with_zone_(CAST(x AS VARCHAR))
    WHEN 'JSON' THEN _sf.main.text_with_zone_(variant_text_(to_json(x), '$'))
    ELSE CAST(_sf.main.number_timestamp_(x) AS VARCHAR) || '+00' END;
CREATE OR REPLACE MACRO _sf.main.zone_of_(s) AS
  CASE WHEN regexp_full_match(trim(s), '.*:[0-9]{2}(\.[0-9]+)?\s*([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)')
       THEN regexp_extract(replace(upper(trim(s)), 'Z', '+00:00'), '[+-][0-9]{2}(:?[0-9]{2})?$')
       WHEN regexp_full_match(trim(s), '-?[0-9]+') THEN '+00' ELSE '' END;
CREATE OR REPLACE MACRO _sf.main.moment_text_(s) AS
  CAST(_sf.main.fixed_moment_(s) AS VARCHAR) || _sf.main.zone_of_(s);
CREATE OR REPLACE MACRO _sf.main.any_timestamptz_(x) AS
  CASE typeof(x)
    WHEN 'VARCHAR' THEN CAST(_sf.main.moment_text_(CAST(x AS VARCHAR)) AS TIMESTAMPTZ)
    WHEN 'JSON' THEN CAST(_sf.main.moment_text_(variant_text_(to_json(x), '$')) AS TIMESTAMPTZ)
    WHEN 'DATE' THEN CAST(TRY_CAST(x AS TIMESTAMP) AS TIMESTAMPTZ)
    WHEN 'TIMESTAMP' THEN CAST(TRY_CAST(x AS TIMESTAMP) AS TIMESTAMPTZ)
    WHEN 'TIMESTAMP WITH TIME ZONE' THEN TRY_CAST(x AS TIMESTAMPTZ)
    ELSE CAST(CAST(_sf.main.number_timestamp_(x) AS VARCHAR) || '+00' AS TIMESTAMPTZ) END;

-- A text of pairs, NULL where a character is left over.
CREATE OR REPLACE MACRO _sf.main.of_pairs_(s) AS CASE WHEN length(s) % 2 = 0 THEN s END;
CREATE OR REPLACE MACRO _sf.main.from_hex_(s) AS
  CASE WHEN length(s) % 2 = 1
    THEN CAST(error('The following string is not a legal hex-encoded value: ''' || s || '''') AS BLOB)
    ELSE unhex(s) END;
-- Hexadecimal may have the \x in front that Postgres clients write.
CREATE OR REPLACE MACRO _sf.main.to_binary_(s, format) AS
  CASE upper(format)
    WHEN 'HEX' THEN
      _sf.main.from_hex_(CASE WHEN starts_with(s, '\x') THEN substr(s, 3) ELSE s END)
    WHEN 'BASE64' THEN from_base64(s)
    WHEN 'UTF-8' THEN encode(s)
    WHEN 'UTF8' THEN encode(s)
    ELSE error('Invalid format ' || format) END;
CREATE OR REPLACE MACRO _sf.main.to_binary(s, format := 'HEX') AS
  CASE replace(typeof(s), 'JSONB', 'JSON') WHEN 'BLOB' THEN CAST(s AS BLOB)
    WHEN 'JSON' THEN _sf.main.to_binary_(variant_text_(to_json(s), '$'), format)
    ELSE _sf.main.to_binary_(CAST(s AS VARCHAR), format) END;
CREATE OR REPLACE MACRO _sf.main.try_to_binary(s, format := 'HEX') AS
  CASE WHEN upper(format) NOT IN ('HEX', 'BASE64', 'UTF-8', 'UTF8')
         THEN CAST(error('Invalid format ' || format) AS BLOB)
       ELSE TRY(CASE upper(format) WHEN 'HEX' THEN unhex(_sf.main.of_pairs_(s))
         WHEN 'BASE64' THEN from_base64(s) ELSE encode(s) END) END;

CREATE OR REPLACE MACRO _sf.main.hex_encode(x, upper_ := 1) AS
  CASE WHEN upper_ = 0 THEN lower(hex(x)) ELSE hex(x) END;
CREATE OR REPLACE MACRO _sf.main.hex_decode_string(s) AS decode(_sf.main.from_hex_(s));
CREATE OR REPLACE MACRO _sf.main.hex_decode_binary(s) AS _sf.main.from_hex_(s);
CREATE OR REPLACE MACRO _sf.main.try_hex_decode_string(s) AS TRY(decode(unhex(_sf.main.of_pairs_(s))));
CREATE OR REPLACE MACRO _sf.main.try_hex_decode_binary(s) AS TRY(unhex(_sf.main.of_pairs_(s)));
CREATE OR REPLACE MACRO _sf.main.text_if_fits_(s, n) AS CASE WHEN length(s) <= n THEN s END;

-- Numbers in texts that follow a model: the digits with sign and point, NULL for what does not.
CREATE OR REPLACE MACRO _sf.main.whole_count_(s) AS
  length(regexp_replace(split_part(s, '.', 1), '[^0-9]', '', 'g'));
CREATE OR REPLACE MACRO _sf.main.digits_(s, pattern, least_, most) AS
  CASE WHEN regexp_full_match(s, pattern) AND regexp_matches(s, '[0-9]')
            AND _sf.main.whole_count_(s) BETWEEN least_ AND most
       THEN CASE WHEN contains(s, '-') THEN '-' ELSE '' END
            || regexp_replace(s, '[^0-9.]', '', 'g') END;
CREATE OR REPLACE MACRO _sf.main.plain_digits_(s) AS
  CASE WHEN regexp_full_match(trim(s), '[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)') THEN trim(s) END;
CREATE OR REPLACE MACRO _sf.main.hexadecimal_(s, most) AS
  CASE WHEN regexp_full_match(trim(s), '[0-9A-Fa-f]{1,15}') AND length(trim(s)) <= most
       THEN CAST(TRY_CAST('0x' || trim(s) AS BIGINT) AS VARCHAR) END;
CREATE OR REPLACE MACRO _sf.main.must_be_number_(digits, s) AS
  CASE WHEN s IS NOT NULL AND digits IS NULL
       THEN error('Can''t parse ''' || s || ''' as number with this format') ELSE digits END;

-- Numbers by a model; see number_models.py. x is a DECIMAL of the model's scale.
CREATE OR REPLACE MACRO _sf.main.sign_of_(x, minus, plus) AS
  CASE WHEN x < 0 THEN minus ELSE plus END;
CREATE OR REPLACE MACRO _sf.main.shown_digits_(digits, zeros, blank) AS
  CASE WHEN digits = '' AND zeros = 0 THEN CASE WHEN blank = 1 THEN '' ELSE '0' END
       ELSE lpad(digits, CAST(greatest(zeros, length(digits)) AS INTEGER), '0') END;
CREATE OR REPLACE MACRO _sf.main.integer_part_(x) AS
  ltrim(split_part(CAST(abs(x) AS VARCHAR), '.', 1), '0');
CREATE OR REPLACE MACRO _sf.main.whole_digits_of_(x, n, zeros, blank) AS
  CASE WHEN length(_sf.main.integer_part_(x)) > n THEN repeat('#', n)
       WHEN n = 0 THEN ''
       ELSE lpad(_sf.main.shown_digits_(_sf.main.integer_part_(x), zeros, blank), n, ' ') END;
CREATE OR REPLACE MACRO _sf.main.comma_after_(c) AS CASE c WHEN ' ' THEN ' ' ELSE ',' END;
CREATE OR REPLACE MACRO _sf.main.without_zeros_(f, kept) AS
  left(f, kept) || rtrim(substr(f, kept + 1), '0');
CREATE OR REPLACE MACRO _sf.main.fraction_of_(x, n, digits, kept) AS
  '.' || CASE WHEN length(_sf.main.integer_part_(x)) > n THEN repeat('#', digits)
    ELSE rpad(_sf.main.without_zeros_(split_part(CAST(x AS VARCHAR), '.', 2), kept), digits, ' ')
    END;
CREATE OR REPLACE MACRO _sf.main.fitting_(s, n, fill) AS
  CASE WHEN length(s) > n THEN repeat('#', n) WHEN fill = '' THEN s ELSE lpad(s, n, fill) END;
CREATE OR REPLACE MACRO _sf.main.unsigned_hex_(x, n, fill) AS
  _sf.main.fitting_(printf('%X', CAST(trunc(x) AS BIGINT)
    + CASE WHEN x <= -1 THEN CAST(1 AS BIGINT) << (4 * n) ELSE 0 END), n, fill);
CREATE OR REPLACE MACRO _sf.main.signed_hex_(x, n, fill) AS
  CASE WHEN x <= -1 THEN '-' ELSE '+' END
  || _sf.main.fitting_(printf('%X', CAST(trunc(abs(x)) AS BIGINT)), n, fill);
CREATE OR REPLACE MACRO _sf.main.positional_(x) AS
  CASE WHEN typeof(x) IN ('DOUBLE', 'FLOAT')
       THEN _sf.main.any_text_(x) ELSE CAST(x AS VARCHAR) END;
-- The significant digits and the exponent of a number written without one.
CREATE OR REPLACE MACRO _sf.main.mantissa_(digits) AS
  left(digits, 1) || CASE WHEN length(digits) > 1 THEN '.' || substr(digits, 2) ELSE '' END;
CREATE OR REPLACE MACRO _sf.main.exponent_(s) AS
  CASE WHEN ltrim(split_part(s, '.', 1), '0') <> ''
       THEN length(ltrim(split_part(s, '.', 1), '0')) - 1
       ELSE -1 - length(regexp_extract(split_part(s, '.', 2), '^0*')) END;
CREATE OR REPLACE MACRO _sf.main.in_science_(s) AS
  CASE WHEN trim(s, '0.') = '' THEN '0E0'
       ELSE _sf.main.mantissa_(trim(replace(s, '.', ''), '0')) || 'E' || _sf.main.exponent_(s) END;
CREATE OR REPLACE MACRO _sf.main.scientific_(x) AS
  CASE WHEN x < 0 THEN '-' ELSE '' END || CASE WHEN typeof(x) IN ('DOUBLE', 'FLOAT')
    THEN error('TME of a FLOAT is not supported') ELSE _sf.main.in_science_(CAST(abs(x) AS VARCHAR)) END;

-- A text as a date or a time; other types stay.
CREATE OR REPLACE MACRO _sf.main.dated_(x VARCHAR) AS _sf.main.to_date_(x), (x) AS x;
CREATE OR REPLACE MACRO _sf.main.timed_(x VARCHAR) AS _sf.main.to_time_(x), (x) AS x;
CREATE OR REPLACE MACRO _sf.main.stamped_(x VARCHAR) AS _sf.main.to_timestamp_(x), (x) AS x;
CREATE OR REPLACE MACRO _sf.main.stamped_with_zone_
  (x VARCHAR) AS CAST(_sf.main.to_timestamptz_(x) AS TIMESTAMPTZ),
  (x) AS x;
-- A text as what it stands beside, which is `o`; other types stay.
CREATE OR REPLACE MACRO _sf.main.any_as_its_kind_(x, o) AS x;
CREATE OR REPLACE MACRO _sf.main.as_its_kind_
  (x VARCHAR, o VARCHAR) AS x,
  (x VARCHAR, o BIGINT) AS CAST(trim(x, '"') AS DECIMAL(38, 12)),
  (x VARCHAR, o HUGEINT) AS CAST(trim(x, '"') AS DECIMAL(38, 12)),
  (x VARCHAR, o DECIMAL) AS CAST(trim(x, '"') AS DECIMAL(38, 12)),
  (x VARCHAR, o DOUBLE) AS CAST(trim(x, '"') AS DOUBLE),
  (x VARCHAR, o DATE) AS _sf.main.to_date_(x),
  (x VARCHAR, o TIMESTAMP) AS _sf.main.to_timestamp_(x),
  (x VARCHAR, o TIMESTAMPTZ) AS CAST(_sf.main.to_timestamptz_(x) AS TIMESTAMPTZ),
  (x VARCHAR, o TIME) AS _sf.main.to_time_(x),
  (x VARCHAR, o BOOLEAN) AS CAST(x AS BOOLEAN),
  (x, o) AS x;
