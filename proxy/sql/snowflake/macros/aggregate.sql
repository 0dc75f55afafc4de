-- Aggregates are of lists where DuckDB has no aggregate of that name: a state is the list itself.

-- NUMBER's median has three more decimals.
CREATE OR REPLACE MACRO _sf.main.finer_(x) AS x * CAST(1 AS DECIMAL(4, 3));

CREATE OR REPLACE MACRO _sf.main.hll_estimate(state) AS CAST(coalesce(len(state), 0) AS BIGINT);
CREATE OR REPLACE MACRO _sf.main.distinct_of_(lists) AS
  CASE WHEN lists IS NOT NULL THEN list_distinct(flatten(lists)) END;
CREATE OR REPLACE MACRO _sf.main.all_of_(lists) AS
  CASE WHEN lists IS NOT NULL THEN flatten(lists) END;
CREATE OR REPLACE MACRO _sf.main.approx_percentile_estimate(state, p) AS
  list_aggregate(state, 'quantile_cont', p);
CREATE OR REPLACE MACRO _sf.main.top_k_(list_, k) AS
  to_json(list_transform(
    list_sort(list_transform(map_entries(list_histogram(list_)), lambda e: {
      'n': -CAST(e.value AS BIGINT), 'v': e.key}))[1:k],
    lambda e: json_array(e.v, -e.n)));
CREATE OR REPLACE MACRO _sf.main.approx_top_k_estimate(state, k := 1) AS
  _sf.main.top_k_(state, k);

-- How often a value differs from the one before it, as `<>` has it: not where one is NULL.
CREATE OR REPLACE MACRO _sf.main.changes_(list_) AS
  CAST(len(list_filter(list_, lambda e, i: i > 1 AND coalesce(e <> list_[i - 1], false))) AS BIGINT);

-- A bitmap: up to four positions behind their number, or any number behind ten bytes.
CREATE OR REPLACE MACRO _sf.main.position_hex_(p) AS
  printf('%02X%02X', CAST(p AS BIGINT) & 255, (CAST(p AS BIGINT) >> 8) & 255);
CREATE OR REPLACE MACRO _sf.main.positions_hex_(list_) AS
  array_to_string(list_transform(list_sort(list_), lambda p: _sf.main.position_hex_(p)), '');
CREATE OR REPLACE MACRO _sf.main.bitmap_of_(list_) AS
  CASE WHEN len(list_) = 0 OR list_ IS NULL THEN NULL
       WHEN len(list_filter(list_, lambda p: p NOT BETWEEN 0 AND 32767)) > 0
         THEN CAST(error('Bitmap positions are 0 to 32767') AS BLOB)
       WHEN len(list_) < 5 THEN unhex(printf('%04X', len(list_))
         || _sf.main.positions_hex_(list_) || repeat('00', 2 * (4 - len(list_))))
       ELSE unhex('08000000000000000000' || _sf.main.positions_hex_(list_)) END;
CREATE OR REPLACE MACRO _sf.main.bitmap_count(b) AS
  CASE WHEN starts_with(hex(b), '08') THEN CAST((octet_length(b) - 10) // 2 AS BIGINT)
       ELSE CAST('0x' || left(hex(b), 4) AS BIGINT) END;
CREATE OR REPLACE MACRO _sf.main.bitmap_hex_(b) AS
  CASE WHEN starts_with(hex(b), '08') THEN substr(hex(b), 21)
       ELSE substr(hex(b), 5, 4 * _sf.main.bitmap_count(b)) END;
CREATE OR REPLACE MACRO _sf.main.bitmap_positions_(b) AS
  list_transform(regexp_extract_all(_sf.main.bitmap_hex_(b), '....'),
    lambda h: CAST('0x' || substr(h, 3, 2) || left(h, 2) AS BIGINT));

-- Equal values have equal keys, whatever the type of a number.
CREATE OR REPLACE MACRO _sf.main.hash_key_(x) AS
  CASE WHEN x IS NULL THEN 'null'
       WHEN typeof(x) LIKE '%INT%' OR typeof(x) LIKE 'DECIMAL%' OR typeof(x) IN ('DOUBLE', 'FLOAT')
         THEN 'n' || regexp_replace(CAST(x AS VARCHAR), '\.0*$|(\.\d*?)0+$', '\1')
       WHEN typeof(x) = 'JSON' THEN 'JSON ' || CAST(variant_plain_(to_json(x)) AS VARCHAR)
       ELSE typeof(x) || ' ' || CAST(x AS VARCHAR) END;

-- MINHASH: the least of each of k hashes of all values. The share of equal ones estimates how similar
-- the sets are.
CREATE OR REPLACE MACRO _sf.main.state_of_(hashes) AS
  json_object('state', hashes, 'type', 'minhash', 'version', 1);
CREATE OR REPLACE MACRO _sf.main.hashes_in_(state) AS
  CAST(json_extract(to_json(state), '$.state') AS UBIGINT[]);
CREATE OR REPLACE MACRO _sf.main.minhash_of_(list_, k) AS
  _sf.main.state_of_(list_transform(range(CAST(k AS BIGINT)),
    lambda i: list_min(list_transform(list_, lambda h: hash(h, i)))));
CREATE OR REPLACE MACRO _sf.main.least_hashes_(states) AS
  _sf.main.state_of_(list_transform(range(len(_sf.main.hashes_in_(states[1]))),
    lambda i: list_min(list_transform(states, lambda s: _sf.main.hashes_in_(s)[i + 1]))));
CREATE OR REPLACE MACRO _sf.main.similarity_(states) AS
  len(list_filter(range(len(_sf.main.hashes_in_(states[1]))),
    lambda i: len(list_distinct(list_transform(states, lambda s: _sf.main.hashes_in_(s)[i + 1]))) = 1))
  / len(_sf.main.hashes_in_(states[1]));
CREATE OR REPLACE MACRO _sf.main.vector_l1_distance(a, b) AS
  list_sum(list_transform(list_zip(CAST(a AS DOUBLE[]), CAST(b AS DOUBLE[])),
    lambda p: abs(p[1] - p[2])));
CREATE OR REPLACE MACRO _sf.main.vector_l2_distance(a, b) AS
  list_distance(CAST(a AS DOUBLE[]), CAST(b AS DOUBLE[]));
CREATE OR REPLACE MACRO _sf.main.vector_inner_product(a, b) AS
  list_inner_product(CAST(a AS DOUBLE[]), CAST(b AS DOUBLE[]));
CREATE OR REPLACE MACRO _sf.main.vector_cosine_similarity(a, b) AS
  list_cosine_similarity(CAST(a AS DOUBLE[]), CAST(b AS DOUBLE[]));
CREATE OR REPLACE MACRO _sf.main.defined_(x) AS CASE WHEN NOT isnan(x) THEN x END;
