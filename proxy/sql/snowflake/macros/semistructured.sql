-- VARIANT, OBJECT and ARRAY, carried as DuckDB's JSON. SQL NULL inside an array is JSON null.

-- DuckDB writes a DECIMAL of up to 18 digits as a DOUBLE: 1 as 1.0.
CREATE OR REPLACE MACRO _sf.main.json_of_(x) AS
  CASE WHEN starts_with(typeof(x), 'DECIMAL')
       THEN CAST(regexp_replace(CAST(x AS VARCHAR), '\.0*$|(\.\d*?)0+$', '\1') AS JSON)
       ELSE to_json(x) END;
-- Timestamps have milliseconds, binaries are hexadecimal.
CREATE OR REPLACE MACRO _sf.main.to_variant(x TIMESTAMP) AS
    to_json(strftime(x, '%Y-%m-%d %H:%M:%S.%g')),
  (x TIMESTAMPTZ) AS to_json(_sf.main.any_text_(x)),
  (x BLOB) AS to_json(hex(x)),
  (x DATE) AS to_json(x),
  (x) AS _sf.main.json_of_(x);
CREATE OR REPLACE MACRO _sf.main.zoned_variant_(moment, written) AS to_json(written);
-- The same where the type is not known before the macro is used.
CREATE OR REPLACE MACRO _sf.main.variant_of_(x) AS
  CASE WHEN typeof(x) IN ('TIMESTAMP', 'TIMESTAMP WITH TIME ZONE', 'BLOB')
       THEN to_json(_sf.main.any_text_(x)) ELSE _sf.main.json_of_(x) END;
CREATE OR REPLACE MACRO _sf.main.to_json(x) AS CAST(to_json(x) AS VARCHAR);
-- Keys are sorted at every depth, numbers stay as they are written; see documents.py.
CREATE OR REPLACE MACRO _sf.main.parse_json(s) AS
  CASE replace(typeof(s), 'JSONB', 'JSON') WHEN 'JSON' THEN CASE json_type(to_json(s)) WHEN 'VARCHAR'
      THEN CAST(parsed_json_(variant_text_(to_json(s), '$')) AS JSON) ELSE to_json(s) END
    ELSE CAST(parsed_json_(CAST(s AS VARCHAR)) AS JSON) END;
CREATE OR REPLACE MACRO _sf.main.try_parse_json(s) AS
  CASE replace(typeof(s), 'JSONB', 'JSON') WHEN 'JSON' THEN CASE json_type(to_json(s)) WHEN 'VARCHAR'
      THEN CAST(try_parsed_json_(variant_text_(to_json(s), '$')) AS JSON) ELSE to_json(s) END
    ELSE CAST(try_parsed_json_(CAST(s AS VARCHAR)) AS JSON) END;
CREATE OR REPLACE MACRO _sf.main.json_text_(s) AS
  CASE typeof(s) WHEN 'JSON' THEN CASE json_type(to_json(s)) WHEN 'VARCHAR'
      THEN variant_text_(to_json(s), '$') ELSE CAST(s AS VARCHAR) END
    ELSE CAST(s AS VARCHAR) END;
CREATE OR REPLACE MACRO _sf.main.parse_json_twice_(s) AS
  CAST(parsed_json_twice_(_sf.main.json_text_(s)) AS JSON);
CREATE OR REPLACE MACRO _sf.main.try_parse_json_twice_(s) AS
  CAST(try_parsed_json_twice_(_sf.main.json_text_(s)) AS JSON);
CREATE OR REPLACE MACRO _sf.main.check_json(s) AS
  CASE WHEN s IS NULL OR json_valid(s) THEN NULL ELSE 'invalid JSON' END;

CREATE OR REPLACE MACRO _sf.main.array_made_(documents) AS variant_list_(documents);
-- ... of what is not NULL: a JSON null is a value.
CREATE OR REPLACE MACRO _sf.main.array_made_compact_(documents) AS
  variant_list_(list_filter(documents, lambda e: e IS NOT NULL));
-- The elements of an array, and the path to one key of an object.
CREATE OR REPLACE MACRO _sf.main.elements_(x) AS
  CASE json_type(to_json(x)) WHEN 'ARRAY' THEN json_elements_(to_json(x)) END;
CREATE OR REPLACE MACRO _sf.main.key_(k) AS '$."' || replace(replace(k, '\', '\\'), '"', '\"') || '"';
CREATE OR REPLACE MACRO _sf.main.entries_(x) AS
  list_transform(json_keys(x), lambda k: {'k': k, 'v': variant_path_(x, _sf.main.key_(k))});
CREATE OR REPLACE MACRO _sf.main.object_of_sorted_(entries) AS
  variant_object_(list_transform(entries, lambda e: e.k), list_transform(entries, lambda e: e.v));
-- An object of entries {k, v}; entries without a key or a value are left out, keys are sorted.
CREATE OR REPLACE MACRO _sf.main.object_of_(entries) AS
  _sf.main.object_of_sorted_(
    list_sort(list_filter(entries, lambda e: e.k IS NOT NULL AND e.v IS NOT NULL)));

-- OBJECT_AGG: {} of no rows.
CREATE OR REPLACE MACRO _sf.main.object_agg_(entries) AS
  coalesce(_sf.main.object_of_(entries), CAST('{}' AS JSON));
CREATE OR REPLACE MACRO _sf.main.object_with_nulls_(entries) AS
  _sf.main.object_of_(list_transform(entries,
    lambda e: {'k': e.k, 'v': coalesce(e.v, CAST('null' AS JSON))}));
CREATE OR REPLACE MACRO _sf.main.get_ignore_case_(x, k) AS
  coalesce(variant_path_(to_json(x), _sf.main.key_(k)),
    list_filter(_sf.main.entries_(to_json(x)), lambda e: lower(e.k) = lower(k))[1].v);

-- The elements as a lambda sees them: a JSON null is NULL.
CREATE OR REPLACE MACRO _sf.main.items_(x) AS
  list_transform(_sf.main.elements_(x), lambda e: CASE json_type(e) WHEN 'NULL' THEN NULL ELSE e END);

-- What a lambda made of the elements: whole numbers have no fraction.
CREATE OR REPLACE MACRO _sf.main.list_json_(l) AS
  CASE typeof(l) WHEN 'DOUBLE[]'
    THEN variant_list_(list_transform(l, lambda e: CAST(_sf.main.any_text_(e) AS JSON)))
    ELSE variant_list_(list_transform(l, lambda e: to_json(e))) END;

-- v:path.to[0]."element" and v[i]: NULL for what is not there.
CREATE OR REPLACE MACRO _sf.main.get_(x, i) AS
  CASE replace(typeof(i), 'JSONB', 'JSON')
    WHEN 'VARCHAR' THEN variant_path_(to_json(x), _sf.main.key_(CAST(i AS VARCHAR)))
    WHEN 'JSON' THEN CASE json_type(to_json(i)) WHEN 'VARCHAR'
      THEN variant_path_(to_json(x), _sf.main.key_(variant_text_(to_json(i), '$')))
      ELSE CASE json_type(to_json(x)) WHEN 'ARRAY'
        THEN variant_path_(to_json(x), TRY_CAST(CAST(to_json(i) AS VARCHAR) AS BIGINT)) END END
    ELSE CASE json_type(to_json(x)) WHEN 'ARRAY'
      THEN variant_path_(to_json(x), CAST(TRY_CAST(CAST(i AS VARCHAR) AS DECIMAL(18, 0)) AS BIGINT)) END
  END;

CREATE OR REPLACE MACRO _sf.main.number_type_(text) AS
  CASE WHEN contains(lower(text), 'e') THEN 'DOUBLE'
       WHEN contains(text, '.') THEN 'DECIMAL' ELSE 'INTEGER' END;
CREATE OR REPLACE MACRO _sf.main.json_typeof_(x, written) AS
  CASE coalesce(json_type(x), '')
    WHEN '' THEN NULL
    WHEN 'NULL' THEN 'NULL_VALUE' WHEN 'BOOLEAN' THEN 'BOOLEAN' WHEN 'VARCHAR' THEN 'VARCHAR'
    WHEN 'ARRAY' THEN 'ARRAY' WHEN 'OBJECT' THEN 'OBJECT'
    ELSE _sf.main.number_type_(written) END;
-- ... and where a number is, to be cast to one: DuckDB's own cast of a JSON rounds it.
CREATE OR REPLACE MACRO _sf.main.variant_digits_(x) AS
  CASE json_type(x) WHEN 'BOOLEAN' THEN CASE CAST(x AS VARCHAR) WHEN 'true' THEN '1' ELSE '0' END
    ELSE variant_text_(x, '$') END;
-- A VARIANT where a truth value is wanted: numbers but 0 are true.
CREATE OR REPLACE MACRO _sf.main.variant_truth_(x) AS
  CASE json_type(x)
    WHEN 'BOOLEAN' THEN CAST(CAST(x AS VARCHAR) AS BOOLEAN)
    WHEN 'VARCHAR' THEN _sf.main.to_boolean(variant_text_(x, '$'))
    WHEN 'NULL' THEN NULL
    WHEN 'ARRAY' THEN CAST(error('Failed to cast variant value ' || CAST(x AS VARCHAR) || ' to BOOLEAN') AS BOOLEAN)
    WHEN 'OBJECT' THEN CAST(error('Failed to cast variant value ' || CAST(x AS VARCHAR) || ' to BOOLEAN') AS BOOLEAN)
    ELSE CAST(CAST(x AS VARCHAR) AS DOUBLE) <> 0 END;
-- What TYPEOF says of a value of a SQL type that becomes a VARIANT.
CREATE OR REPLACE MACRO _sf.main.sql_typeof_(x) AS
  CASE WHEN x IS NULL THEN NULL
    WHEN typeof(x) IN ('JSON', 'JSONB') THEN _sf.main.json_typeof_(to_json(x), CAST(x AS VARCHAR))
    WHEN typeof(x) IN ('TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT') THEN 'INTEGER'
    WHEN typeof(x) LIKE 'DECIMAL%' THEN
      CASE WHEN x = trunc(TRY_CAST(CAST(x AS VARCHAR) AS DECIMAL(38, 10)))
           THEN 'INTEGER' ELSE 'DECIMAL' END
    WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN 'DOUBLE'
    WHEN typeof(x) = 'TIMESTAMP' THEN 'TIMESTAMP_NTZ'
    WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP_LTZ'
    WHEN typeof(x) = 'BLOB' THEN 'BINARY'
    ELSE typeof(x) END;
CREATE OR REPLACE MACRO _sf.main.typeof(x) AS
  CASE replace(typeof(x), 'JSONB', 'JSON') WHEN 'JSON' THEN _sf.main.json_typeof_(to_json(x), CAST(x AS VARCHAR))
    ELSE _sf.main.sql_typeof_(x) END;

-- IS_type(v): NULL of NULL.
CREATE OR REPLACE MACRO _sf.main.is_array(x) AS _sf.main.typeof(x) = 'ARRAY';
CREATE OR REPLACE MACRO _sf.main.is_object(x) AS _sf.main.typeof(x) = 'OBJECT';
CREATE OR REPLACE MACRO _sf.main.is_boolean(x) AS _sf.main.typeof(x) = 'BOOLEAN';
CREATE OR REPLACE MACRO _sf.main.is_null_value(x) AS _sf.main.typeof(x) = 'NULL_VALUE';
CREATE OR REPLACE MACRO _sf.main.is_varchar(x) AS _sf.main.typeof(x) = 'VARCHAR';
CREATE OR REPLACE MACRO _sf.main.is_char(x) AS _sf.main.typeof(x) = 'VARCHAR';
CREATE OR REPLACE MACRO _sf.main.is_integer(x) AS _sf.main.typeof(x) = 'INTEGER';
CREATE OR REPLACE MACRO _sf.main.is_decimal(x) AS _sf.main.typeof(x) IN ('INTEGER', 'DECIMAL');
CREATE OR REPLACE MACRO _sf.main.is_double(x) AS
  _sf.main.typeof(x) IN ('INTEGER', 'DECIMAL', 'DOUBLE');
CREATE OR REPLACE MACRO _sf.main.is_real(x) AS
  _sf.main.typeof(x) IN ('INTEGER', 'DECIMAL', 'DOUBLE');
CREATE OR REPLACE MACRO _sf.main.is_date(x) AS _sf.main.typeof(x) = 'DATE';
CREATE OR REPLACE MACRO _sf.main.is_date_value(x) AS _sf.main.typeof(x) = 'DATE';
CREATE OR REPLACE MACRO _sf.main.is_time(x) AS _sf.main.typeof(x) = 'TIME';
CREATE OR REPLACE MACRO _sf.main.is_binary(x) AS _sf.main.typeof(x) = 'BINARY';
CREATE OR REPLACE MACRO _sf.main.is_timestamp_ntz(x) AS _sf.main.typeof(x) = 'TIMESTAMP_NTZ';
CREATE OR REPLACE MACRO _sf.main.is_timestamp_ltz(x) AS _sf.main.typeof(x) = 'TIMESTAMP_LTZ';
CREATE OR REPLACE MACRO _sf.main.is_timestamp_tz(x) AS _sf.main.typeof(x) = 'TIMESTAMP_TZ';

-- AS_type(v): the value if the VARIANT is of that type, else NULL.
CREATE OR REPLACE MACRO _sf.main.as_array(x) AS CASE WHEN _sf.main.is_array(x) THEN to_json(x) END;
CREATE OR REPLACE MACRO _sf.main.as_object(x) AS CASE WHEN _sf.main.is_object(x) THEN to_json(x) END;
CREATE OR REPLACE MACRO _sf.main.as_boolean(x) AS
  CASE WHEN _sf.main.is_boolean(x) THEN CAST(to_json(x) AS BOOLEAN) END;
CREATE OR REPLACE MACRO _sf.main.as_varchar(x) AS
  CASE WHEN _sf.main.is_varchar(x) THEN variant_text_(to_json(x), '$') END;
CREATE OR REPLACE MACRO _sf.main.as_char(x) AS _sf.main.as_varchar(x);
CREATE OR REPLACE MACRO _sf.main.as_integer(x) AS
  CASE WHEN _sf.main.is_integer(x) THEN CAST(to_json(x) AS BIGINT) END;
CREATE OR REPLACE MACRO _sf.main.as_double(x) AS
  CASE WHEN _sf.main.is_double(x) THEN CAST(to_json(x) AS DOUBLE) END;
CREATE OR REPLACE MACRO _sf.main.as_real(x) AS _sf.main.as_double(x);
CREATE OR REPLACE MACRO _sf.main.as_date(x) AS
  CASE WHEN _sf.main.is_date(x) THEN CAST(variant_text_(to_json(x), '$') AS DATE) END;
CREATE OR REPLACE MACRO _sf.main.as_time(x) AS
  CASE WHEN _sf.main.is_time(x) THEN CAST(variant_text_(to_json(x), '$') AS TIME) END;
CREATE OR REPLACE MACRO _sf.main.as_timestamp_ntz(x) AS
  CASE WHEN _sf.main.is_timestamp_ntz(x)
       THEN CAST(variant_text_(to_json(x), '$') AS TIMESTAMP) END;

CREATE OR REPLACE MACRO _sf.main.strip_null_value(x) AS
  CASE json_type(to_json(x)) WHEN 'NULL' THEN NULL ELSE to_json(x) END;

-- A BINARY in a VARIANT is its hexadecimal digits, in capitals: what else reads so is taken for one.
CREATE OR REPLACE MACRO _sf.main.hex_in_(s) AS
  CASE WHEN regexp_full_match(s, '([0-9A-F]{2})*') THEN unhex(s) END;
CREATE OR REPLACE MACRO _sf.main.as_binary(x) AS
  CASE typeof(x) WHEN 'BLOB' THEN CAST(x AS BLOB)
    WHEN 'JSON' THEN CASE json_type(to_json(x)) WHEN 'VARCHAR'
      THEN _sf.main.hex_in_(variant_text_(to_json(x), '$')) END END;
CREATE OR REPLACE MACRO _sf.main.as_timestamp_ltz(x) AS
  CASE typeof(x) WHEN 'TIMESTAMP WITH TIME ZONE' THEN CAST(x AS TIMESTAMPTZ) END;
CREATE OR REPLACE MACRO _sf.main.as_timestamp_tz(x) AS
  CASE typeof(x) WHEN 'TIMESTAMP WITH TIME ZONE' THEN CAST(x AS TIMESTAMPTZ) END;
CREATE OR REPLACE MACRO _sf.main.as_number_(x) AS
  CASE WHEN _sf.main.is_decimal(x) THEN CAST(to_json(x) AS VARCHAR) END;

-- Objects.
CREATE OR REPLACE MACRO _sf.main.object_keys(x) AS to_json(list_sort(json_keys(to_json(x))));
CREATE OR REPLACE MACRO _sf.main.map_keys(x) AS _sf.main.object_keys(x);
CREATE OR REPLACE MACRO _sf.main.map_size(x) AS len(json_keys(to_json(x)));
CREATE OR REPLACE MACRO _sf.main.map_contains_key(k, x) AS
  list_contains(json_keys(to_json(x)), CAST(k AS VARCHAR));
CREATE OR REPLACE MACRO _sf.main.to_object(x) AS
  CASE json_type(to_json(x))
    WHEN 'OBJECT' THEN to_json(x) WHEN 'NULL' THEN NULL
    ELSE CASE WHEN x IS NULL THEN NULL ELSE error('Failed to cast variant value ' || CAST(to_json(x) AS VARCHAR) || ' to OBJECT') END END;
CREATE OR REPLACE MACRO _sf.main.object_insert(x, k, v, replace_ := false) AS
  CASE WHEN x IS NULL OR k IS NULL THEN NULL
       WHEN v IS NULL AND replace_ THEN _sf.main.object_of_(
         list_filter(_sf.main.entries_(to_json(x)), lambda e: e.k <> k))
       WHEN v IS NULL THEN to_json(x)
       WHEN NOT replace_ AND list_contains(json_keys(to_json(x)), k)
         THEN error('Duplicate field key ''' || k || '''')
       ELSE _sf.main.object_of_(list_append(
         list_filter(_sf.main.entries_(to_json(x)), lambda e: e.k <> k),
         {'k': CAST(k AS VARCHAR), 'v': to_json(v)})) END;
CREATE OR REPLACE MACRO _sf.main.object_delete_(x, keys) AS
  CASE WHEN keys IS NOT NULL THEN _sf.main.object_of_(list_filter(_sf.main.entries_(to_json(x)),
    lambda e: NOT list_contains(keys, e.k))) END;
CREATE OR REPLACE MACRO _sf.main.object_pick_(x, keys) AS
  CASE WHEN keys IS NOT NULL THEN _sf.main.object_of_(list_filter(_sf.main.entries_(to_json(x)),
    lambda e: list_contains(keys, e.k))) END;
-- The keys of OBJECT_PICK, given as one array or one by one.
CREATE OR REPLACE MACRO _sf.main.texts_(x) AS
  list_transform(_sf.main.elements_(x), lambda e: variant_text_(e, '$'));
CREATE OR REPLACE MACRO _sf.main.arrays_to_object(keys, vals) AS
  CASE WHEN keys IS NOT NULL AND vals IS NOT NULL THEN _sf.main.object_of_(list_transform(
    list_zip(_sf.main.texts_(keys), _sf.main.elements_(vals)),
    lambda e: {'k': e[1], 'v': e[2]})) END;

-- Arrays.
CREATE OR REPLACE MACRO _sf.main.to_array(x) AS
  CASE WHEN x IS NULL THEN NULL
       WHEN json_type(to_json(x)) = 'ARRAY' THEN to_json(x)
       WHEN json_type(to_json(x)) = 'NULL' THEN NULL ELSE json_array(x) END;
CREATE OR REPLACE MACRO _sf.main.array_size(x) AS
  CASE json_type(to_json(x)) WHEN 'ARRAY' THEN CAST(json_array_length(to_json(x)) AS BIGINT) END;
CREATE OR REPLACE MACRO _sf.main.array_append(x, v) AS
  CASE WHEN x IS NOT NULL THEN variant_list_(list_append(_sf.main.elements_(x), _sf.main.variant_of_(v))) END;
CREATE OR REPLACE MACRO _sf.main.array_prepend(x, v) AS
  CASE WHEN x IS NOT NULL THEN variant_list_(list_prepend(_sf.main.variant_of_(v), _sf.main.elements_(x))) END;
CREATE OR REPLACE MACRO _sf.main.array_cat(x, y) AS
  CASE WHEN x IS NOT NULL AND y IS NOT NULL
       THEN variant_list_(list_concat(_sf.main.elements_(x), _sf.main.elements_(y))) END;
CREATE OR REPLACE MACRO _sf.main.array_compact(x) AS
  variant_list_(list_filter(_sf.main.elements_(x), lambda e: json_type(e) <> 'NULL'));
-- What VARIANTs are compared and sorted by (engines/duck/documents.py): numbers by their value,
-- booleans, strings by code point, arrays, objects, JSON null.
CREATE OR REPLACE MACRO _sf.main.sort_key_(e) AS variant_key_(to_json(e));
CREATE OR REPLACE MACRO _sf.main.equal_key_(e) AS variant_key_(to_json(e));
-- ... beside a number or a truth value: JSON null is unknown there.
CREATE OR REPLACE MACRO _sf.main.key_beside_(e) AS
  CASE json_type(to_json(e)) WHEN 'NULL' THEN NULL ELSE variant_key_(to_json(e)) END;
-- ... where the two are to be ordered, which is not said of values of different types.
CREATE OR REPLACE MACRO _sf.main.order_beside_(e) AS
  CASE WHEN json_type(to_json(e)) = 'NULL' THEN NULL
    WHEN json_type(to_json(e)) IN ('VARCHAR', 'ARRAY', 'OBJECT')
      THEN CAST(error('Failed to cast variant value ' || CAST(e AS VARCHAR) || ' to FIXED') AS BLOB)
    ELSE variant_key_(to_json(e)) END;
CREATE OR REPLACE MACRO _sf.main.equal_keys_(x) AS
  list_transform(_sf.main.elements_(x), lambda e: _sf.main.equal_key_(e));
CREATE OR REPLACE MACRO _sf.main.array_contains(v, x) AS
  CASE WHEN v IS NULL
       THEN CASE WHEN list_contains(_sf.main.equal_keys_(x), variant_key_(CAST('null' AS JSON)))
         THEN true END
       ELSE list_contains(_sf.main.equal_keys_(x), variant_key_(_sf.main.variant_of_(v))) END;
CREATE OR REPLACE MACRO _sf.main.array_position(v, x) AS
  CAST(list_position(_sf.main.equal_keys_(x), variant_key_(_sf.main.variant_of_(v))) - 1 AS BIGINT);
CREATE OR REPLACE MACRO _sf.main.array_distinct(x) AS
  variant_list_(list_filter(_sf.main.elements_(x),
    lambda e, i: list_position(_sf.main.equal_keys_(x), _sf.main.equal_key_(e)) = i));
CREATE OR REPLACE MACRO _sf.main.array_reverse(x) AS variant_list_(list_reverse(_sf.main.elements_(x)));
-- The k-th occurrence of an element is dropped (kept) if the other array has it k times or more.
CREATE OR REPLACE MACRO _sf.main.array_except(x, y) AS
  CASE WHEN y IS NOT NULL THEN
  variant_list_(list_filter(_sf.main.elements_(x), lambda e, i:
    len(list_filter(_sf.main.equal_keys_(x)[1:i], lambda p: p = _sf.main.equal_key_(e)))
    > len(list_filter(_sf.main.equal_keys_(y), lambda q: q = _sf.main.equal_key_(e))))) END;
CREATE OR REPLACE MACRO _sf.main.array_intersection(x, y) AS
  CASE WHEN y IS NOT NULL THEN
  variant_list_(list_filter(_sf.main.elements_(x), lambda e, i:
    len(list_filter(_sf.main.equal_keys_(x)[1:i], lambda p: p = _sf.main.equal_key_(e)))
    <= len(list_filter(_sf.main.equal_keys_(y), lambda q: q = _sf.main.equal_key_(e))))) END;
CREATE OR REPLACE MACRO _sf.main.arrays_overlap(x, y) AS
  list_has_any(_sf.main.equal_keys_(x), _sf.main.equal_keys_(y));
CREATE OR REPLACE MACRO _sf.main.array_insert(x, p, v) AS
  CASE WHEN x IS NOT NULL AND p IS NOT NULL THEN variant_list_(list_concat(list_concat(
    list_resize(_sf.main.elements_(x),
      CASE WHEN p < 0 THEN greatest(len(_sf.main.elements_(x)) + p, 0) ELSE p END, CAST('null' AS JSON)),
    [to_json(v)]),
    _sf.main.elements_(x)
      [CASE WHEN p < 0 THEN greatest(len(_sf.main.elements_(x)) + p, 0) ELSE p END + 1:])) END;
CREATE OR REPLACE MACRO _sf.main.array_remove(x, v) AS
  CASE WHEN v IS NOT NULL THEN variant_list_(list_filter(_sf.main.elements_(x),
    lambda e: variant_key_(e) <> variant_key_(_sf.main.variant_of_(v)))) END;
CREATE OR REPLACE MACRO _sf.main.array_remove_at(x, p) AS
  CASE WHEN p IS NOT NULL THEN variant_list_(list_filter(_sf.main.elements_(x), lambda e, i:
    i - 1 <> CASE WHEN p < 0 THEN len(_sf.main.elements_(x)) + p ELSE p END)) END;
CREATE OR REPLACE MACRO _sf.main.array_slice(x, a, b) AS
  variant_list_(_sf.main.elements_(x)
    [CASE WHEN a < 0 THEN greatest(len(_sf.main.elements_(x)) + a, 0) ELSE a END + 1
     :CASE WHEN b < 0 THEN greatest(len(_sf.main.elements_(x)) + b, 0) ELSE b END]);
CREATE OR REPLACE MACRO _sf.main.array_to_string(x, d) AS
  CASE WHEN d IS NOT NULL THEN coalesce(array_to_string(
    list_transform(_sf.main.elements_(x), lambda e, i:
      CASE WHEN i > 1 THEN d ELSE '' END || coalesce(variant_text_(e, '$'), '')), ''),
    CASE WHEN x IS NOT NULL THEN '' END) END;
CREATE OR REPLACE MACRO _sf.main.must_be_array_(e) AS
  CASE WHEN json_type(e) IN ('ARRAY', 'NULL') THEN _sf.main.elements_(e)
       ELSE error('Not an array of arrays: ' || CAST(e AS VARCHAR)) END;
CREATE OR REPLACE MACRO _sf.main.array_flatten(x) AS
  CASE WHEN NOT list_contains(_sf.main.equal_keys_(x), variant_key_(CAST('null' AS JSON)))
       THEN variant_list_(flatten(list_transform(_sf.main.elements_(x),
              lambda e: _sf.main.must_be_array_(e)))) END;
-- An array of objects {$1, $2, ...} of the elements of arrays; the shorter go on with nulls.
CREATE OR REPLACE MACRO _sf.main.zipped_(lists) AS
  CASE WHEN len(list_filter(lists, lambda l: coalesce(len(l), 1) > 0)) = 0
       THEN CAST('[{}]' AS JSON)
       WHEN len(list_filter(lists, lambda l: l IS NULL)) = 0
       THEN variant_list_(list_transform(
         range(1, list_max(list_transform(lists, lambda l: len(l))) + 1),
         lambda i: variant_object_(list_transform(lists, lambda l, k: '$' || k),
           list_transform(lists, lambda l: l[i])))) END;
-- The multiset union: each element as often as in the array that has it most often.
CREATE OR REPLACE MACRO _sf.main.times_in_(l, key) AS
  len(list_filter(l, lambda p: p.k = key));
CREATE OR REPLACE MACRO _sf.main.keyed_(l) AS
  list_transform(l, lambda e: {'k': variant_key_(e), 'e': e});
CREATE OR REPLACE MACRO _sf.main.union_of_keyed_(lists, keys) AS
  variant_list_(flatten(list_transform(
    list_filter(flatten(lists), lambda o, i: list_position(keys, o.k) = i),
    lambda o: list_resize([o.e],
      list_max(list_transform(lists, lambda l: _sf.main.times_in_(l, o.k))), o.e))));
CREATE OR REPLACE MACRO _sf.main.union_of_(lists) AS
  _sf.main.union_of_keyed_(list_transform(lists, lambda l: _sf.main.keyed_(l)),
    list_transform(flatten(lists), lambda e: variant_key_(e)));
CREATE OR REPLACE MACRO _sf.main.array_generate_range(a, b, step := 1) AS
  to_json(CASE WHEN step = 0 THEN error('step must not be 0')
    ELSE range(CAST(a AS BIGINT), CAST(b AS BIGINT), CAST(step AS BIGINT)) END);
-- In an array JSON null is what NULL is: last, or first when descending, unless told otherwise.
CREATE OR REPLACE MACRO _sf.main.array_key_(e) AS
  CASE json_type(e) WHEN 'NULL' THEN NULL ELSE {'k': variant_key_(e), 'e': e} END;
CREATE OR REPLACE MACRO _sf.main.sort_keys_(x) AS
  list_transform(_sf.main.elements_(x), lambda e: _sf.main.array_key_(e));
CREATE OR REPLACE MACRO _sf.main.sorted_(x, ascending, nulls_first) AS
  CASE WHEN ascending AND nulls_first
         THEN list_sort(_sf.main.sort_keys_(x), 'ASC', 'NULLS FIRST')
       WHEN ascending THEN list_sort(_sf.main.sort_keys_(x), 'ASC', 'NULLS LAST')
       WHEN nulls_first THEN list_sort(_sf.main.sort_keys_(x), 'DESC', 'NULLS FIRST')
       ELSE list_sort(_sf.main.sort_keys_(x), 'DESC', 'NULLS LAST') END;
CREATE OR REPLACE MACRO _sf.main.array_sort(x, ascending := true, nulls_first := NULL) AS
  variant_list_(list_transform(
    _sf.main.sorted_(x, ascending, coalesce(nulls_first, NOT ascending)),
    lambda k: coalesce(k.e, CAST('null' AS JSON))));
CREATE OR REPLACE MACRO _sf.main.array_max(x) AS
  list_max(list_transform(_sf.main.elements_(x), lambda e: _sf.main.array_key_(e))).e;
CREATE OR REPLACE MACRO _sf.main.array_min(x) AS
  list_min(list_transform(_sf.main.elements_(x), lambda e: _sf.main.array_key_(e))).e;
CREATE OR REPLACE MACRO _sf.main.split(s, d) AS
  CASE WHEN s IS NOT NULL AND d IS NOT NULL
       THEN to_json(CASE WHEN d = '' THEN [s] ELSE string_split(s, d) END) END;
CREATE OR REPLACE MACRO _sf.main.strtok_to_array(s, d := ' ') AS
  CASE WHEN d = '' THEN CASE WHEN s <> '' THEN json_array(s) END
    WHEN d IS NOT NULL THEN to_json(list_filter(
    string_split_regex(s, '[' || regexp_escape(nullif(d, '')) || ']'), lambda t: t <> '')) END;

-- The rows of FLATTEN(x), without recursion; `p` is the path to x in what the query named.
CREATE OR REPLACE MACRO _sf.main.flat_array_(x, p) AS
  list_transform(_sf.main.elements_(x), lambda e, i: {
    'seq': CAST(1 AS BIGINT), 'key': CAST(NULL AS VARCHAR), 'path': p || '[' || (i - 1) || ']',
    'index': CAST(i - 1 AS BIGINT), 'value': e, 'this': to_json(x)});
CREATE OR REPLACE MACRO _sf.main.member_(p, k) AS
  CASE WHEN regexp_full_match(k, '[A-Za-z_][A-Za-z0-9_$]*')
       THEN CASE p WHEN '' THEN k ELSE p || '.' || k END
       ELSE p || '[''' || k || ''']' END;
CREATE OR REPLACE MACRO _sf.main.flat_object_(x, p) AS
  list_transform(list_sort(json_keys(to_json(x))), lambda k: {
    'seq': CAST(1 AS BIGINT), 'key': k, 'path': _sf.main.member_(p, k),
    'index': CAST(NULL AS BIGINT), 'value': variant_path_(to_json(x), _sf.main.key_(k)),
    'this': to_json(x)});
CREATE OR REPLACE MACRO _sf.main.flat_(x, p, outer_, mode) AS
  CASE
    WHEN json_type(to_json(x)) = 'ARRAY' AND mode IN ('ARRAY', 'BOTH')
      AND json_array_length(to_json(x)) > 0 THEN _sf.main.flat_array_(x, p)
    WHEN json_type(to_json(x)) = 'OBJECT' AND mode IN ('OBJECT', 'BOTH')
      AND len(json_keys(to_json(x))) > 0 THEN _sf.main.flat_object_(x, p)
    WHEN outer_ THEN [{
      'seq': CAST(1 AS BIGINT), 'key': CAST(NULL AS VARCHAR), 'path': p,
      'index': CAST(NULL AS BIGINT), 'value': CAST(NULL AS JSON), 'this': to_json(x)}]
    ELSE [] END;
CREATE OR REPLACE MACRO _sf.main.flatten_(x, p, outer_, mode) AS TABLE
  SELECT unnest(_sf.main.flat_(x, p, outer_, mode), max_depth := 2);
CREATE OR REPLACE MACRO _sf.main.flat_with_seq_(x, p, outer_, mode, n) AS
  list_transform(_sf.main.flat_(x, p, outer_, mode),
    lambda e: struct_update(e, seq := CAST(n AS BIGINT)));
-- With recursion: each node after its parent, before what comes after that.
CREATE OR REPLACE MACRO _sf.main.flat_below_(x, p, outer_, mode, place) AS
  list_transform(_sf.main.flat_(x, p, outer_, mode),
    lambda e, i: struct_insert(e, place := list_append(place, i)));
CREATE OR REPLACE MACRO _sf.main.flatten_deep_(x, p, outer_, mode) AS TABLE
  WITH RECURSIVE nodes AS (
    SELECT unnest(_sf.main.flat_below_(x, p, outer_, mode, CAST([] AS BIGINT[])), max_depth := 2)
    UNION ALL
    SELECT inner_.* FROM nodes, LATERAL (
      SELECT unnest(_sf.main.flat_below_(nodes.value, nodes.path, false, mode, nodes.place),
                    max_depth := 2)) inner_
  )
  SELECT * EXCLUDE (place) FROM nodes ORDER BY place;
CREATE OR REPLACE MACRO _sf.main.split_rows_(list_) AS
  list_transform(list_, lambda e, i: {
    'seq': CAST(1 AS BIGINT), 'index': CAST(i AS BIGINT), 'value': e});
CREATE OR REPLACE MACRO _sf.main.split_list_(s, d) AS _sf.main.split_rows_(string_split(s, d));
CREATE OR REPLACE MACRO _sf.main.split_list_with_seq_(s, d, n) AS
  list_transform(_sf.main.split_list_(s, d),
    lambda e: struct_update(e, seq := CAST(n AS BIGINT)));
CREATE OR REPLACE MACRO _sf.main.split_to_table_(s, d) AS TABLE
  SELECT unnest(_sf.main.split_list_(s, d), max_depth := 2);
CREATE OR REPLACE MACRO _sf.main.strtok_split_list_(s, d) AS
  _sf.main.split_rows_(
    list_filter(string_split_regex(s, '[' || regexp_escape(d) || ']'), lambda t: t <> ''));
CREATE OR REPLACE MACRO _sf.main.strtok_split_list_with_seq_(s, d, n) AS
  list_transform(_sf.main.strtok_split_list_(s, d),
    lambda e: struct_update(e, seq := CAST(n AS BIGINT)));
CREATE OR REPLACE MACRO _sf.main.strtok_split_to_table_(s, d) AS TABLE
  SELECT unnest(_sf.main.strtok_split_list_(s, d), max_depth := 2);

-- A VARIANT as a value of the type of `t`.
CREATE OR REPLACE MACRO _sf.main.typed_as_(x, t) AS
  cast_to_type(CASE WHEN typeof(t) IN ('JSON', 'JSONB') THEN CAST(to_json(x) AS VARCHAR)
                    ELSE variant_text_(to_json(x), '$') END, t);
-- ... to be compared with `t`: a fraction beside a whole number would be rounded.
CREATE OR REPLACE MACRO _sf.main.variant_beside_(x, t) AS
  CASE WHEN typeof(t) IN ('TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT')
        AND json_type(to_json(x)) = 'DOUBLE' AND TRY_CAST(CAST(to_json(x) AS VARCHAR) AS DOUBLE) % 1 <> 0
       THEN cast_to_type(CAST(error('a VARIANT that is a fraction beside an expression of a whole number; cast one of them') AS VARCHAR), t)
       ELSE _sf.main.typed_as_(x, t) END;
-- The elements in the type of `t`.
CREATE OR REPLACE MACRO _sf.main.elements_as_(x, t) AS
  list_transform(CAST(to_json(x) AS JSON[]), lambda e: _sf.main.typed_as_(e, t));
CREATE OR REPLACE MACRO _sf.main.key_text_(k) AS
  CASE replace(typeof(k), 'JSONB', 'JSON') WHEN 'JSON' THEN variant_text_(to_json(k), '$')
    ELSE CAST(k AS VARCHAR) END;
CREATE OR REPLACE MACRO _sf.main.entry_(k, v) AS {'k': _sf.main.key_text_(k), 'v': to_json(v)};
CREATE OR REPLACE MACRO _sf.main.get_path_(x, p) AS
  variant_path_(to_json(x), CASE WHEN p[1] = '[' THEN '$' || p ELSE '$.' || p END);
CREATE OR REPLACE MACRO _sf.main.array_of_(list_) AS
  coalesce(CASE WHEN contains(typeof(list_), 'TIMESTAMP') OR typeof(list_) = 'BLOB[]'
      OR starts_with(typeof(list_), 'DECIMAL')
    THEN variant_list_(list_transform(list_, lambda e: _sf.main.variant_of_(e)))
    ELSE variant_list_(list_transform(list_, lambda e: to_json(e))) END, CAST('[]' AS JSON));

-- Structured types.
CREATE OR REPLACE MACRO _sf.main.with_keys_(x, keys) AS
  CASE WHEN x IS NULL THEN NULL
       WHEN len(list_filter(keys, lambda k: NOT list_contains(json_keys(to_json(x)), k))) > 0
         THEN CAST(error('Failed to cast: the object lacks a key of its type') AS JSON)
       WHEN len(list_filter(json_keys(to_json(x)), lambda k: NOT list_contains(keys, k))) > 0
         THEN CAST(error('Failed to cast: the object has a key that its type lacks') AS JSON)
       ELSE to_json(x) END;
CREATE OR REPLACE MACRO _sf.main.map_as_(x, t) AS
  _sf.main.object_with_nulls_(list_transform(_sf.main.entries_(to_json(x)),
    lambda e: {'k': e.k, 'v': to_json(_sf.main.typed_as_(e.v, t))}));
CREATE OR REPLACE MACRO _sf.main.map_entries(x) AS
  to_json(list_transform(_sf.main.entries_(to_json(x)), lambda e: {'key': e.k, 'value': e.v}));
CREATE OR REPLACE MACRO _sf.main.array_repeat_(x, n) AS
  to_json(list_transform(range(CAST(n AS BIGINT)), lambda i: coalesce(to_json(x), CAST('null' AS JSON))));
CREATE OR REPLACE MACRO _sf.main.map_cat_(x, y) AS
  CASE WHEN x IS NOT NULL AND y IS NOT NULL THEN _sf.main.object_of_(list_concat(
    list_filter(_sf.main.entries_(to_json(x)),
      lambda e: NOT list_contains(json_keys(to_json(y)), e.k)),
    _sf.main.entries_(to_json(y)))) END;
-- A row as an object: names are in capitals, as Snowflake folds them. Each column is made a VARIANT
-- while its type is known, and a NULL stays apart from a JSON null.
CREATE OR REPLACE MACRO _sf.main.row_entries_(r) AS
  list_transform(map_entries(CAST(
    (SELECT struct_pack(*COLUMNS(*)) FROM (SELECT _sf.main.variant_of_(COLUMNS(*)) FROM (SELECT unnest(r))))
    AS MAP(VARCHAR, JSON))), lambda e: {
      'k': CASE WHEN e.key = lower(e.key) THEN upper(e.key) ELSE e.key END, 'v': e.value});
CREATE OR REPLACE MACRO _sf.main.object_of_row_with_nulls_(r) AS
  _sf.main.object_with_nulls_(_sf.main.row_entries_(r));
CREATE OR REPLACE MACRO _sf.main.object_of_row_(r) AS
  _sf.main.object_of_(_sf.main.row_entries_(r));
