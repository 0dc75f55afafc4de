-- Texts and binaries. A BLOB is counted in bytes: two digits of its hexadecimal.

CREATE OR REPLACE MACRO _sf.main.octet_length_(s) AS
  CASE typeof(s) WHEN 'BLOB' THEN octet_length(CAST(s AS BLOB))
    ELSE strlen(CAST(s AS VARCHAR)) END;
CREATE OR REPLACE MACRO _sf.main.bit_length(s) AS 8 * _sf.main.octet_length_(s);

-- greatest() leaves NULL out.
CREATE OR REPLACE MACRO _sf.main.least_one_(n) AS CASE WHEN n < 1 THEN 1 ELSE n END;
CREATE OR REPLACE MACRO _sf.main.least_zero_(n) AS CASE WHEN n < 0 THEN 0 ELSE n END;
CREATE OR REPLACE MACRO _sf.main.left_(s BLOB, n) AS unhex(left(hex(s), 2 * _sf.main.least_zero_(n))),
  (s, n) AS left(s, _sf.main.least_zero_(n));
CREATE OR REPLACE MACRO _sf.main.right_(s BLOB, n) AS unhex(right(hex(s), 2 * _sf.main.least_zero_(n))),
  (s, n) AS right(s, _sf.main.least_zero_(n));
-- Position 0 is position 1; one before the text's beginning finds nothing.
CREATE OR REPLACE MACRO _sf.main.bytes_from_(i) AS
  CASE WHEN i > 0 THEN 2 * i - 1 WHEN i = 0 THEN 1 ELSE 2 * i END;
CREATE OR REPLACE MACRO _sf.main.text_from_(i) AS CASE WHEN i = 0 THEN 1 ELSE i END;
CREATE OR REPLACE MACRO _sf.main.substr_(s BLOB, i) AS unhex(substr(hex(s), _sf.main.bytes_from_(i))),
  (s BLOB, i, n) AS unhex(substr(hex(s), _sf.main.bytes_from_(i), 2 * _sf.main.least_zero_(n))),
  (s, i) AS CASE WHEN i < -length(s) THEN '' ELSE substr(s, _sf.main.text_from_(i)) END,
  (s, i, n) AS CASE WHEN i < -length(s) THEN ''
                    ELSE substr(s, _sf.main.text_from_(i), _sf.main.least_zero_(n)) END;
CREATE OR REPLACE MACRO _sf.main.lpad_(s BLOB, n, p) AS
    unhex(lpad(hex(s), CAST(2 * _sf.main.least_zero_(n) AS INTEGER), hex(p))),
  (s, n) AS lpad(s, CAST(_sf.main.least_zero_(n) AS INTEGER), ' '),
  (s, n, p) AS CASE WHEN p = '' THEN left(s, _sf.main.least_zero_(n))
                    ELSE lpad(s, CAST(_sf.main.least_zero_(n) AS INTEGER), p) END;
CREATE OR REPLACE MACRO _sf.main.rpad_(s BLOB, n, p) AS
    unhex(rpad(hex(s), CAST(2 * _sf.main.least_zero_(n) AS INTEGER), hex(p))),
  (s, n) AS rpad(s, CAST(_sf.main.least_zero_(n) AS INTEGER), ' '),
  (s, n, p) AS CASE WHEN p = '' THEN left(s, _sf.main.least_zero_(n))
                    ELSE rpad(s, CAST(_sf.main.least_zero_(n) AS INTEGER), p) END;
CREATE OR REPLACE MACRO _sf.main.reverse_(s BLOB) AS
    unhex(array_to_string(list_reverse(regexp_extract_all(hex(s), '..')), '')),
  (s) AS reverse(s);
CREATE OR REPLACE MACRO _sf.main.insert_(s BLOB, i, n, t) AS
    CASE WHEN i < 1 OR n < 0 OR i > octet_length(s) + 1
         THEN CAST(error('Invalid position or length of INSERT: ' || i || ', ' || n) AS BLOB)
         ELSE unhex(left(hex(s), 2 * (i - 1)) || hex(t) || substr(hex(s), 2 * (i + n) - 1)) END,
  (s, i, n, t) AS
    CASE WHEN i < 1 OR n < 0 OR i > length(s) + 1
         THEN error('Invalid position or length of INSERT: ' || i || ', ' || n)
         ELSE left(s, i - 1) || t || substr(s, i + n) END;
-- Bytes are found at even places only.
CREATE OR REPLACE MACRO _sf.main.byte_place_(s, t, i) AS
  coalesce(list_min(list_filter(range(i, octet_length(s) - octet_length(t) + 2),
    lambda k: substr(hex(s), 2 * k - 1, 2 * octet_length(t)) = hex(t))), 0);
CREATE OR REPLACE MACRO _sf.main.place_(t BLOB, s, i) AS
    CASE WHEN s IS NOT NULL AND t IS NOT NULL THEN _sf.main.byte_place_(s, t, _sf.main.least_one_(i)) END,
  (t, s, i) AS CASE strpos(substr(s, _sf.main.least_one_(i)), t) WHEN 0 THEN 0
    ELSE strpos(substr(s, _sf.main.least_one_(i)), t) + _sf.main.least_one_(i) - 1 END;
CREATE OR REPLACE MACRO _sf.main.contains_(s BLOB, t) AS _sf.main.byte_place_(s, t, 1) > 0,
  (s, t) AS contains(CAST(s AS VARCHAR), CAST(t AS VARCHAR));
CREATE OR REPLACE MACRO _sf.main.startswith_(s BLOB, t) AS starts_with(hex(s), hex(t)),
  (s, t) AS starts_with(CAST(s AS VARCHAR), CAST(t AS VARCHAR));
CREATE OR REPLACE MACRO _sf.main.endswith_(s BLOB, t) AS ends_with(hex(s), hex(t)),
  (s, t) AS ends_with(CAST(s AS VARCHAR), CAST(t AS VARCHAR));

-- The two halves of the digest as numbers.
CREATE OR REPLACE MACRO _sf.main.md5_number_lower64(s) AS
  CAST('0x' || right(md5(s), 16) AS UBIGINT);
CREATE OR REPLACE MACRO _sf.main.md5_number_upper64(s) AS
  CAST('0x' || left(md5(s), 16) AS UBIGINT);
-- Both halves, as a signed number of 128 bits.
CREATE OR REPLACE MACRO _sf.main.md5_number(s) AS
  (CAST(_sf.main.md5_number_upper64(s) AS HUGEINT)
    - CASE WHEN _sf.main.md5_number_upper64(s) >= 9223372036854775808
           THEN CAST(18446744073709551616 AS HUGEINT) ELSE 0 END)
  * CAST(18446744073709551616 AS HUGEINT) + CAST(_sf.main.md5_number_lower64(s) AS HUGEINT);

-- Digests that DuckDB lacks; see vectorised.py.
CREATE OR REPLACE MACRO _sf.main.sha2_224_(s BLOB) AS lower(hex(sha224_(s))),
  (s) AS lower(hex(sha224_(encode(CAST(s AS VARCHAR)))));
CREATE OR REPLACE MACRO _sf.main.sha2_384_(s BLOB) AS lower(hex(sha384_(s))),
  (s) AS lower(hex(sha384_(encode(CAST(s AS VARCHAR)))));
CREATE OR REPLACE MACRO _sf.main.sha2_512_(s BLOB) AS lower(hex(sha512_(s))),
  (s) AS lower(hex(sha512_(encode(CAST(s AS VARCHAR)))));

-- Base 64 in lines of `width` characters; `alphabet` replaces + / and =, in this order.
CREATE OR REPLACE MACRO _sf.main.base64_of_(x) AS
  CASE typeof(x) WHEN 'BLOB' THEN to_base64(CAST(x AS BLOB))
    ELSE to_base64(encode(CAST(x AS VARCHAR))) END;
CREATE OR REPLACE MACRO _sf.main.in_lines_(s, width) AS
  CASE WHEN width > 0
       THEN rtrim(regexp_replace(s, '(.{' || width || '})', '\1' || chr(10), 'g'), chr(10))
       ELSE s END;
CREATE OR REPLACE MACRO _sf.main.base64_encode(x, width := 0, alphabet := '+/=') AS
  translate(_sf.main.in_lines_(_sf.main.base64_of_(x), width),
            left('+/=', length(alphabet)), alphabet);
CREATE OR REPLACE MACRO _sf.main.base64_plain_(s, alphabet) AS
  translate(regexp_replace(s, '\s', '', 'g'), alphabet, left('+/=', length(alphabet)));
CREATE OR REPLACE MACRO _sf.main.base64_decode_string(s, alphabet := '+/=') AS
  decode(from_base64(_sf.main.base64_plain_(s, alphabet)));
CREATE OR REPLACE MACRO _sf.main.base64_decode_binary(s, alphabet := '+/=') AS
  from_base64(_sf.main.base64_plain_(s, alphabet));
CREATE OR REPLACE MACRO _sf.main.try_base64_decode_string(s, alphabet := '+/=') AS
  TRY(decode(from_base64(_sf.main.base64_plain_(s, alphabet))));
CREATE OR REPLACE MACRO _sf.main.try_base64_decode_binary(s, alphabet := '+/=') AS
  TRY(from_base64(_sf.main.base64_plain_(s, alphabet)));

-- DuckDB measures distances in bytes: each letter of `whole` becomes one of ASCII's.
CREATE OR REPLACE MACRO _sf.main.letters_in_(s) AS
  array_to_string(list_distinct(regexp_extract_all(s, '(?s).')), '');
CREATE OR REPLACE MACRO _sf.main.ascii_for_(letters) AS
  CASE WHEN length(letters) < 127
       THEN array_to_string(list_transform(range(1, length(letters) + 1), lambda n: chr(CAST(n AS INTEGER))), '')
       ELSE error('the distance of texts of more than 126 different letters is not supported') END;
CREATE OR REPLACE MACRO _sf.main.a_byte_each_(s, whole) AS
  CASE WHEN strlen(whole) = length(whole) THEN s
       ELSE translate(s, _sf.main.letters_in_(whole), _sf.main.ascii_for_(_sf.main.letters_in_(whole))) END;

-- The longer the common beginning, the nearer: as Jaro-Winkler, but not for four letters alone.
CREATE OR REPLACE MACRO _sf.main.common_length_(a, b) AS
  length(regexp_extract(array_to_string(list_transform(
    list_zip(string_split(a, ''), string_split(b, '')),
    lambda p: CASE WHEN p[1] = p[2] THEN '=' ELSE '-' END), ''), '^=*'));
CREATE OR REPLACE MACRO _sf.main.nearness_(a, b) AS
  CAST(floor(100 * round(jaro_similarity(a, b) + least(_sf.main.common_length_(a, b), 10) * 0.1
    * (1 - jaro_similarity(a, b)), 9)) AS BIGINT);
CREATE OR REPLACE MACRO _sf.main.nearness_of_letters_(a, b) AS
  _sf.main.nearness_(_sf.main.a_byte_each_(a, a || b), _sf.main.a_byte_each_(b, a || b));
CREATE OR REPLACE MACRO _sf.main.jarowinkler_similarity(a, b) AS
  CASE WHEN a = '' OR b = '' THEN 0
       ELSE _sf.main.nearness_of_letters_(lower(CAST(a AS VARCHAR)), lower(CAST(b AS VARCHAR))) END;
CREATE OR REPLACE MACRO _sf.main.editdistance(a, b, most := NULL) AS
  CASE WHEN a IS NOT NULL AND b IS NOT NULL
       THEN least(levenshtein(_sf.main.a_byte_each_(a, a || b), _sf.main.a_byte_each_(b, a || b)),
                  greatest(CAST(most AS BIGINT), CASE WHEN most < 0 THEN 0 END)) END;

-- Runs of one digit count once; vowels part them, H and W do not.
CREATE OR REPLACE MACRO _sf.main.sound_codes_(letters) AS
  translate(regexp_replace(letters, '[HW]', '', 'g'),
            'AEIOUYBFPVCGJKQSXZDTLMNR', '000000111122222222334556');
CREATE OR REPLACE MACRO _sf.main.without_runs_(codes) AS
  regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(codes,
    '1+', '1', 'g'), '2+', '2', 'g'), '3+', '3', 'g'), '4+', '4', 'g'), '5+', '5', 'g'),
    '6+', '6', 'g');
CREATE OR REPLACE MACRO _sf.main.sound_(first_, codes) AS
  CASE WHEN first_ = '' THEN '' ELSE first_ || rpad(left(replace(codes, '0', ''), 3), 3, '0') END;
CREATE OR REPLACE MACRO _sf.main.letters_(s) AS regexp_replace(upper(s), '[^A-Z]', '', 'g');
CREATE OR REPLACE MACRO _sf.main.soundex(s) AS
  _sf.main.sound_(left(_sf.main.letters_(s), 1), substr(_sf.main.without_runs_(
    _sf.main.sound_codes_(translate(left(_sf.main.letters_(s), 1), 'HW', '00'))
    || _sf.main.sound_codes_(substr(_sf.main.letters_(s), 2))), 2));
CREATE OR REPLACE MACRO _sf.main.soundex_p123(s) AS
  _sf.main.sound_(left(_sf.main.letters_(s), 1),
    _sf.main.without_runs_(_sf.main.sound_codes_(substr(_sf.main.letters_(s), 2))));

-- Words are what stands between spaces and punctuation.
CREATE OR REPLACE MACRO _sf.main.words_(s) AS
  list_filter(string_split_regex(lower(s), '[\s\[\];<>(){}|!,''"*&?+/:=@.\-$%\\_]+'),
    lambda w: w <> '');
CREATE OR REPLACE MACRO _sf.main.search_any_(s, terms) AS
  list_has_any(_sf.main.words_(s), _sf.main.words_(terms));
CREATE OR REPLACE MACRO _sf.main.search_all_(s, terms) AS
  list_has_all(_sf.main.words_(s), _sf.main.words_(terms));

-- All of them, one behind the other.
CREATE OR REPLACE MACRO _sf.main.phrase_(s) AS ' ' || array_to_string(_sf.main.words_(s), ' ') || ' ';
CREATE OR REPLACE MACRO _sf.main.search_phrase_(s, terms) AS
  contains(_sf.main.phrase_(s), _sf.main.phrase_(terms));

-- Addresses: of 4 or 8 groups, kept as four numbers of 32 bits.
CREATE OR REPLACE MACRO _sf.main.ip4_fields_(host) AS
  CASE WHEN regexp_full_match(host, '(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}')
       THEN [list_reduce(list_transform(string_split(host, '.'), lambda g: CAST(g AS BIGINT)),
                         lambda a, g: a * 256 + g), 0, 0, 0] END;
CREATE OR REPLACE MACRO _sf.main.ip6_filled_(host) AS
  CASE WHEN contains(host, '::')
       THEN rtrim(ltrim(replace(host, '::',
              ':' || repeat('0:', CAST(8 - len(regexp_extract_all(host, '[0-9A-Fa-f]+')) AS BIGINT))), ':'), ':')
       ELSE host END;
CREATE OR REPLACE MACRO _sf.main.ip6_hex_(host) AS
  CASE WHEN regexp_full_match(_sf.main.ip6_filled_(host), '[0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4}){7}')
       THEN upper(array_to_string(list_transform(string_split(_sf.main.ip6_filled_(host), ':'),
                                           lambda g: lpad(g, 4, '0')), '')) END;
CREATE OR REPLACE MACRO _sf.main.ip6_fields_(host) AS
  list_transform([1, 9, 17, 25],
    lambda i: CAST('0x' || substr(_sf.main.ip6_hex_(host), i, 8) AS BIGINT));
CREATE OR REPLACE MACRO _sf.main.host_bits_(prefix, i) AS
  CAST(pow(2, 32 - greatest(least(prefix - 32 * (i - 1), 32), 0)) AS BIGINT);
CREATE OR REPLACE MACRO _sf.main.range_start_(fields, prefix) AS
  list_transform(fields, lambda f, i: f - f % _sf.main.host_bits_(prefix, i));
CREATE OR REPLACE MACRO _sf.main.range_end_(fields, prefix) AS
  list_transform(fields,
    lambda f, i: f - f % _sf.main.host_bits_(prefix, i) + _sf.main.host_bits_(prefix, i) - 1);
CREATE OR REPLACE MACRO _sf.main.hex_of_(fields) AS
  array_to_string(list_transform(fields, lambda f: printf('%08X', f)), '');
CREATE OR REPLACE MACRO _sf.main.ip4_(host, prefix, fields) AS
  CASE WHEN prefix IS NULL
    THEN json_object('family', 4, 'host', host, 'ip_fields', fields, 'ip_type', 'inet',
      'ipv4', fields[1], 'netmask_prefix_length', NULL, 'snowflake$type', 'ip_address')
    ELSE json_object('family', 4, 'host', host, 'ip_fields', fields, 'ip_type', 'inet',
      'ipv4', fields[1], 'ipv4_range_end', _sf.main.range_end_(fields, prefix)[1],
      'ipv4_range_start', _sf.main.range_start_(fields, prefix)[1],
      'netmask_prefix_length', prefix, 'snowflake$type', 'ip_address') END;
CREATE OR REPLACE MACRO _sf.main.ip6_(host, prefix, fields) AS
  CASE WHEN prefix IS NULL
    THEN json_object('family', 6, 'hex_ipv6', _sf.main.hex_of_(fields), 'host', host,
      'ip_fields', fields, 'ip_type', 'inet', 'netmask_prefix_length', NULL,
      'snowflake$type', 'ip_address')
    ELSE json_object('family', 6, 'hex_ipv6', _sf.main.hex_of_(fields),
      'hex_ipv6_range_end', _sf.main.hex_of_(_sf.main.range_end_(fields, prefix)),
      'hex_ipv6_range_start', _sf.main.hex_of_(_sf.main.range_start_(fields, prefix)),
      'host', host, 'ip_fields', fields, 'ip_type', 'inet', 'netmask_prefix_length', prefix,
      'snowflake$type', 'ip_address') END;
CREATE OR REPLACE MACRO _sf.main.ip_(host, prefix) AS
  CASE WHEN _sf.main.ip4_fields_(host) IS NOT NULL AND coalesce(prefix, 0) <= 32
         THEN _sf.main.ip4_(host, prefix, _sf.main.ip4_fields_(host))
       WHEN _sf.main.ip6_hex_(host) IS NOT NULL AND coalesce(prefix, 0) <= 128
         THEN _sf.main.ip6_(host, prefix, _sf.main.ip6_fields_(host)) END;
CREATE OR REPLACE MACRO _sf.main.parse_ip(s, kind, permissive := 0) AS
  CASE WHEN s IS NULL THEN NULL
    WHEN _sf.main.ip_(split_part(s, '/', 1),
      TRY_CAST(nullif(split_part(s, '/', 2), '') AS INTEGER)) IS NOT NULL
      AND regexp_full_match(s, '[^/]*(/\d{1,3})?')
    THEN _sf.main.ip_(split_part(s, '/', 1),
      TRY_CAST(nullif(split_part(s, '/', 2), '') AS INTEGER))
    WHEN permissive = 1 THEN json_object('error', 'Invalid IP address: ' || s)
    ELSE CAST(error('Invalid IP address: ' || s) AS JSON) END;

CREATE OR REPLACE MACRO _sf.main.url_parameters_(query) AS
  CASE WHEN query IS NOT NULL THEN to_json(map_from_entries(list_transform(
    list_sort(string_split(query, '&')),
    lambda q: (split_part(q, '=', 1), CASE WHEN contains(q, '=')
                                           THEN substr(q, strpos(q, '=') + 1) ELSE '' END)))) END;
-- p: scheme, //, authority, path, ?, query, #, fragment.
CREATE OR REPLACE MACRO _sf.main.url_(p) AS json_object(
  'fragment', CASE WHEN p[7] <> '' THEN p[8] END,
  'host', CASE WHEN p[2] <> '' THEN regexp_replace(p[3], ':\d+$', '') END,
  'parameters', _sf.main.url_parameters_(CASE WHEN p[5] <> '' THEN p[6] END),
  'path', CASE WHEN p[2] <> '' THEN ltrim(p[4], '/') ELSE p[4] END,
  'port', nullif(regexp_extract(p[3], ':(\d+)$', 1), ''),
  'query', CASE WHEN p[5] <> '' THEN p[6] END,
  'scheme', p[1]);
CREATE OR REPLACE MACRO _sf.main.parse_url(s, permissive := 0) AS
  CASE WHEN s IS NULL THEN NULL
    WHEN regexp_matches(s, '^[A-Za-z][A-Za-z0-9+.\-]*://')
      THEN _sf.main.url_([regexp_extract(s, '^([^:]*)', 1), '//',
        regexp_extract(s, '^[^:]*://([^/?#]*)', 1),
        regexp_extract(s, '^[^:]*://[^/?#]*([^?#]*)', 1),
        regexp_extract(s, '^[^?#]*(\?)', 1), regexp_extract(s, '^[^?#]*\?([^#]*)', 1),
        regexp_extract(s, '^[^#]*(#)', 1), regexp_extract(s, '^[^#]*#(.*)$', 1)])
    WHEN regexp_matches(s, '^[A-Za-z][A-Za-z0-9+.\-]*:[^\d]')
      THEN _sf.main.url_([regexp_extract(s, '^([^:]*)', 1), '', '',
        regexp_extract(s, '^[^:]*:([^?#]*)', 1),
        regexp_extract(s, '^[^?#]*(\?)', 1), regexp_extract(s, '^[^?#]*\?([^#]*)', 1),
        regexp_extract(s, '^[^#]*(#)', 1), regexp_extract(s, '^[^#]*#(.*)$', 1)])
    WHEN permissive = 1
      THEN json_object('error', 'scheme not specified')
    ELSE CAST(error('Error parsing URL: scheme not specified') AS JSON) END;

-- The texts of a row, one after the other, for SEARCH.
CREATE OR REPLACE MACRO _sf.main.texts_of_row_(r) AS
  array_to_string(list_transform(
    list_filter(_sf.main.entries_(to_json(r)), lambda e: json_type(e.v) = 'VARCHAR'),
    lambda e: variant_text_(e.v, '$')), ' ');
