-- json and jsonb of Postgres's, for the postgres dialect.

CREATE OR REPLACE MACRO _sf.main.pg_key_(k) AS
  '$."' || replace(replace(k, '\', '\\'), '"', '\"') || '"';
-- A document: a text is read, a document is left as it is.
CREATE OR REPLACE MACRO _sf.main.pg_json_(x) AS CAST(x AS JSON);
-- What becomes a jsonb in Snowflake's dialect.
CREATE OR REPLACE MACRO _sf.main.document_(x) AS
  CASE WHEN typeof(x) = 'VARCHAR' THEN CAST(x AS JSONB) ELSE CAST(to_json(x) AS JSONB) END;
CREATE OR REPLACE MACRO _sf.main.pg_json_kind_(x) AS
  CASE json_type(x) WHEN 'OBJECT' THEN 'object' WHEN 'ARRAY' THEN 'array' WHEN 'VARCHAR' THEN 'string'
    WHEN 'BOOLEAN' THEN 'boolean' WHEN 'NULL' THEN 'null' ELSE CASE WHEN x IS NOT NULL THEN 'number' END END;
CREATE OR REPLACE MACRO _sf.main.pg_json_typeof_(x) AS _sf.main.pg_json_kind_(_sf.main.pg_json_(x));
CREATE OR REPLACE MACRO _sf.main.pg_json_text_(x) AS json_extract_string(_sf.main.pg_json_(x), '$');

CREATE OR REPLACE MACRO _sf.main.pg_json_list_of_(x) AS
  CASE WHEN x IS NULL THEN [] WHEN json_type(x) = 'ARRAY' THEN CAST(x AS JSON[])
    ELSE error('cannot extract elements from a scalar or an object') END;
CREATE OR REPLACE MACRO _sf.main.pg_json_items_of_(x) AS
  list_transform(_sf.main.pg_json_list_of_(x), lambda e: coalesce(e, CAST('null' AS JSON)));
CREATE OR REPLACE MACRO _sf.main.pg_json_elements_(x) AS _sf.main.pg_json_items_of_(_sf.main.pg_json_(x));
CREATE OR REPLACE MACRO _sf.main.pg_json_texts_(x) AS
  list_transform(_sf.main.pg_json_list_of_(_sf.main.pg_json_(x)), lambda e: json_extract_string(e, '$'));
CREATE OR REPLACE MACRO _sf.main.pg_json_keys_of_(x) AS
  CASE WHEN x IS NULL THEN [] WHEN json_type(x) = 'OBJECT' THEN json_keys(x)
    ELSE error('cannot call jsonb_object_keys on a scalar or an array') END;
CREATE OR REPLACE MACRO _sf.main.pg_json_keys_(x) AS _sf.main.pg_json_keys_of_(_sf.main.pg_json_(x));
CREATE OR REPLACE MACRO _sf.main.pg_json_length_of_(x) AS
  CASE WHEN x IS NULL THEN NULL WHEN json_type(x) = 'ARRAY' THEN CAST(json_array_length(x) AS INTEGER)
    ELSE error('cannot get array length of a scalar or an object') END;
CREATE OR REPLACE MACRO _sf.main.pg_json_array_length_(x) AS
  _sf.main.pg_json_length_of_(_sf.main.pg_json_(x));
CREATE OR REPLACE MACRO _sf.main.pg_json_each_(x) AS TABLE
  SELECT unnest(list_transform(_sf.main.pg_json_keys_(x), lambda k: {
    'key': k, 'value': json_extract(_sf.main.pg_json_(x), _sf.main.pg_key_(k))}), max_depth := 2);
CREATE OR REPLACE MACRO _sf.main.pg_jsonb_each_(x) AS TABLE
  SELECT unnest(list_transform(_sf.main.pg_json_keys_(x), lambda k: {
    'key': k, 'value': CAST(json_extract(_sf.main.pg_json_(x), _sf.main.pg_key_(k)) AS JSONB)}), max_depth := 2);
CREATE OR REPLACE MACRO _sf.main.pg_json_each_text_(x) AS TABLE
  SELECT unnest(list_transform(_sf.main.pg_json_keys_(x), lambda k: {
    'key': k, 'value': json_extract_string(_sf.main.pg_json_(x), _sf.main.pg_key_(k))}), max_depth := 2);

-- One step of a path: an element of an array by its number, a member of an object by its name.
CREATE OR REPLACE MACRO _sf.main.pg_json_step_of_(x, step) AS
  json_extract(x, CASE
    WHEN json_type(x) = 'ARRAY' AND regexp_full_match(step, '[0-9]+') THEN '$[' || step || ']'
    WHEN json_type(x) = 'ARRAY' AND regexp_full_match(step, '-[0-9]+') THEN '$[#' || step || ']'
    WHEN json_type(x) = 'OBJECT' THEN _sf.main.pg_key_(step) END);
CREATE OR REPLACE MACRO _sf.main.pg_json_step_(x, step) AS
  _sf.main.pg_json_step_of_(_sf.main.pg_json_(x), CAST(step AS VARCHAR));

-- a ? 'k': the name of a member, or a string that is an element.
CREATE OR REPLACE MACRO _sf.main.pg_top_keys_(x) AS
  CASE json_type(x) WHEN 'OBJECT' THEN json_keys(x)
    WHEN 'ARRAY' THEN list_transform(
      list_filter(CAST(x AS JSON[]), lambda e: json_type(e) = 'VARCHAR'), lambda e: json_extract_string(e, '$'))
    WHEN 'VARCHAR' THEN [json_extract_string(x, '$')] ELSE [] END;
CREATE OR REPLACE MACRO _sf.main.pg_has_key_(x, k) AS
  CASE WHEN x IS NOT NULL AND k IS NOT NULL
       THEN list_contains(_sf.main.pg_top_keys_(_sf.main.pg_json_(x)), CAST(k AS VARCHAR)) END;
CREATE OR REPLACE MACRO _sf.main.pg_has_any_key_(x, ks) AS
  CASE WHEN x IS NOT NULL
       THEN list_has_any(_sf.main.pg_top_keys_(_sf.main.pg_json_(x)), CAST(ks AS VARCHAR[])) END;
CREATE OR REPLACE MACRO _sf.main.pg_has_all_keys_(x, ks) AS
  CASE WHEN x IS NOT NULL
       THEN list_has_all(_sf.main.pg_top_keys_(_sf.main.pg_json_(x)), CAST(ks AS VARCHAR[])) END;

-- a @> b, level by level: members are there with what they must contain; each element of an array is
-- contained in one of the other's; scalars are equal.
CREATE OR REPLACE MACRO _sf.main.pg_scalar_is_(a, b) AS
  coalesce(_sf.main.pg_json_kind_(a) = _sf.main.pg_json_kind_(b)
    AND CASE WHEN _sf.main.pg_json_kind_(a) = 'number'
             THEN CAST(CAST(a AS VARCHAR) AS DOUBLE) = CAST(CAST(b AS VARCHAR) AS DOUBLE)
             ELSE json_extract_string(a, '$') IS NOT DISTINCT FROM json_extract_string(b, '$') END, false);
CREATE OR REPLACE MACRO _sf.main.pg_contains_0_(a, b) AS
  CASE WHEN json_type(b) IN ('OBJECT', 'ARRAY')
       THEN error('@> of documents that are nested deeper than 4 is not supported')
       ELSE _sf.main.pg_scalar_is_(a, b) END;
CREATE OR REPLACE MACRO _sf.main.pg_contains_1_(a, b) AS
  CASE json_type(b)
    WHEN 'OBJECT' THEN coalesce(json_type(a) = 'OBJECT', false) AND len(list_filter(json_keys(b), lambda k:
      NOT (list_contains(json_keys(a), k)
           AND _sf.main.pg_contains_0_(json_extract(a, _sf.main.pg_key_(k)), json_extract(b, _sf.main.pg_key_(k)))))) = 0
    WHEN 'ARRAY' THEN coalesce(json_type(a) = 'ARRAY', false) AND len(list_filter(_sf.main.pg_json_items_of_(b), lambda eb:
      len(list_filter(_sf.main.pg_json_items_of_(a), lambda ea: _sf.main.pg_contains_0_(ea, eb))) = 0)) = 0
    ELSE _sf.main.pg_scalar_is_(a, b) END;
CREATE OR REPLACE MACRO _sf.main.pg_contains_2_(a, b) AS
  CASE json_type(b)
    WHEN 'OBJECT' THEN coalesce(json_type(a) = 'OBJECT', false) AND len(list_filter(json_keys(b), lambda k:
      NOT (list_contains(json_keys(a), k)
           AND _sf.main.pg_contains_1_(json_extract(a, _sf.main.pg_key_(k)), json_extract(b, _sf.main.pg_key_(k)))))) = 0
    WHEN 'ARRAY' THEN coalesce(json_type(a) = 'ARRAY', false) AND len(list_filter(_sf.main.pg_json_items_of_(b), lambda eb:
      len(list_filter(_sf.main.pg_json_items_of_(a), lambda ea: _sf.main.pg_contains_1_(ea, eb))) = 0)) = 0
    ELSE _sf.main.pg_scalar_is_(a, b) END;
CREATE OR REPLACE MACRO _sf.main.pg_contains_3_(a, b) AS
  CASE json_type(b)
    WHEN 'OBJECT' THEN coalesce(json_type(a) = 'OBJECT', false) AND len(list_filter(json_keys(b), lambda k:
      NOT (list_contains(json_keys(a), k)
           AND _sf.main.pg_contains_2_(json_extract(a, _sf.main.pg_key_(k)), json_extract(b, _sf.main.pg_key_(k)))))) = 0
    WHEN 'ARRAY' THEN coalesce(json_type(a) = 'ARRAY', false) AND len(list_filter(_sf.main.pg_json_items_of_(b), lambda eb:
      len(list_filter(_sf.main.pg_json_items_of_(a), lambda ea: _sf.main.pg_contains_2_(ea, eb))) = 0)) = 0
    ELSE _sf.main.pg_scalar_is_(a, b) END;
CREATE OR REPLACE MACRO _sf.main.pg_contains_4_(a, b) AS
  CASE
    WHEN a IS NULL OR b IS NULL THEN NULL
    WHEN json_type(b) = 'OBJECT' THEN coalesce(json_type(a) = 'OBJECT', false) AND len(list_filter(json_keys(b), lambda k:
      NOT (list_contains(json_keys(a), k)
           AND _sf.main.pg_contains_3_(json_extract(a, _sf.main.pg_key_(k)), json_extract(b, _sf.main.pg_key_(k)))))) = 0
    WHEN json_type(b) = 'ARRAY' THEN coalesce(json_type(a) = 'ARRAY', false) AND len(list_filter(_sf.main.pg_json_items_of_(b), lambda eb:
      len(list_filter(_sf.main.pg_json_items_of_(a), lambda ea: _sf.main.pg_contains_3_(ea, eb))) = 0)) = 0
    WHEN json_type(a) = 'ARRAY' THEN len(list_filter(_sf.main.pg_json_items_of_(a), lambda ea: _sf.main.pg_scalar_is_(ea, b))) > 0
    ELSE _sf.main.pg_scalar_is_(a, b) END;
CREATE OR REPLACE MACRO _sf.main.pg_contains_
  (a JSON, b JSON) AS _sf.main.pg_contains_4_(a, b),
  (a, b) AS a @> b;

-- A value as to_json writes it. (Without overloads, which DuckDB cannot choose among within a lateral
-- join.)
CREATE OR REPLACE MACRO _sf.main.pg_json_of_(x) AS
  CASE WHEN typeof(x) IN ('JSON', 'JSONB') THEN CAST(CAST(x AS VARCHAR) AS JSON)
       WHEN typeof(x) IN ('VARCHAR', 'BOOLEAN', 'INTEGER', 'BIGINT', 'SMALLINT', 'UUID', 'TIME') THEN to_json(x)
       WHEN typeof(x) IN ('HUGEINT', 'UBIGINT') OR typeof(x) LIKE 'DECIMAL(%)'
         THEN CAST(CAST(x AS VARCHAR) AS JSON)
       ELSE CAST(json_of_(x, current_setting('TimeZone')) AS JSON) END;
CREATE OR REPLACE MACRO _sf.main.pg_json_member_(x) AS
  coalesce(CAST(_sf.main.pg_json_of_(x) AS VARCHAR), 'null');
CREATE OR REPLACE MACRO _sf.main.pg_json_name_(x) AS
  CAST(to_json(coalesce(CAST(x AS VARCHAR), error('argument of an object must not be null'))) AS VARCHAR);

-- The elements of json_agg: arrays and rows begin a line.
CREATE OR REPLACE MACRO _sf.main.pg_json_element_(x) AS
  CASE WHEN x IS NOT NULL AND (typeof(x) LIKE '%]' OR typeof(x) LIKE 'STRUCT%')
       THEN chr(10) || ' ' || _sf.main.pg_json_member_(x) ELSE _sf.main.pg_json_member_(x) END;
CREATE OR REPLACE MACRO _sf.main.pg_json_list_(xs) AS
  CAST('[' || ltrim(array_to_string(list_transform(xs, lambda e: _sf.main.pg_json_element_(e)), ', '),
       chr(10) || ' ') || ']' AS JSON);
CREATE OR REPLACE MACRO _sf.main.pg_json_pairs_(xs) AS
  CAST('{ ' || array_to_string(
    list_transform(xs, lambda e: _sf.main.pg_json_name_(e.k) || ' : ' || _sf.main.pg_json_member_(e.v)), ', ')
    || ' }' AS JSON);
