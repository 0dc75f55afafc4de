-- json and jsonb of Postgres's, for the postgres dialect.

-- A text as a json, which DuckDB also makes of what no JSON is: NaN, Infinity, a comma at the end.
CREATE OR REPLACE MACRO _sf.main.pg_json_read_
  (x VARCHAR) AS CASE WHEN regexp_matches(x, '(?i:nan|inf)|,\s*[\]}]') AND CAST(x AS JSONB) IS NULL THEN NULL
    ELSE CAST(x AS JSON) END,
  (x) AS CAST(x AS JSON);
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
    'key': k, 'value': json_member_(_sf.main.pg_json_(x), k)}), max_depth := 2);
CREATE OR REPLACE MACRO _sf.main.pg_jsonb_each_(x) AS TABLE
  SELECT unnest(list_transform(_sf.main.pg_json_keys_(x), lambda k: {
    'key': k, 'value': json_member_(CAST(x AS JSONB), k)}), max_depth := 2);
CREATE OR REPLACE MACRO _sf.main.pg_json_each_text_(x) AS TABLE
  SELECT unnest(list_transform(_sf.main.pg_json_keys_(x), lambda k: {
    'key': k, 'value': json_member_text_(_sf.main.pg_json_(x), k)}), max_depth := 2);

-- a ? 'k': the name of a member, or a string that is an element.
CREATE OR REPLACE MACRO _sf.main.pg_top_keys_(x) AS
  CASE json_type(x) WHEN 'OBJECT' THEN json_keys(x)
    WHEN 'ARRAY' THEN list_transform(
      list_filter(json_elements_(x), lambda e: json_type(e) = 'VARCHAR'), lambda e: json_extract_string(e, '$'))
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

-- A value as to_json writes it. (Without overloads, which DuckDB cannot choose among within a lateral
-- join.)
CREATE OR REPLACE MACRO _sf.main.pg_json_of_(x) AS
  CASE WHEN typeof(x) IN ('JSON', 'JSONB') THEN CAST(CAST(x AS VARCHAR) AS JSON)
       WHEN typeof(x) IN ('VARCHAR', 'BOOLEAN', 'INTEGER', 'BIGINT', 'SMALLINT', 'UUID', 'TIME') THEN to_json(x)
       WHEN typeof(x) IN ('HUGEINT', 'UBIGINT') OR typeof(x) LIKE 'DECIMAL(%)'
         THEN CAST(CAST(x AS VARCHAR) AS JSON)
       ELSE CAST(json_of_(x, _sf.main.pg_style_()) AS JSON) END;
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
-- json_object of arrays: names and values one after another, or apart.
CREATE OR REPLACE MACRO _sf.main.pg_json_object_
  (ks, vs) AS CASE
    WHEN len(ks) <> len(vs) THEN error('mismatched array dimensions')
    WHEN ks IS NOT NULL AND vs IS NOT NULL THEN CAST('{' || coalesce(array_to_string(list_transform(
      list_zip(ks, vs), lambda e: _sf.main.pg_json_name_(e[1]) || ' : ' || _sf.main.pg_json_member_(e[2])), ', '), '') || '}' AS JSON) END,
  (a) AS CASE
    WHEN len(a) % 2 = 1 THEN error('array must have even number of elements')
    WHEN a IS NOT NULL THEN CAST('{' || coalesce(array_to_string(list_transform(
      range(1, len(a), 2), lambda i: _sf.main.pg_json_name_(a[i]) || ' : ' || _sf.main.pg_json_member_(a[i + 1])), ', '), '') || '}' AS JSON) END;
