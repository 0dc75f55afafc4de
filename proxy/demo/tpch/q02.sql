-- Q2: minimum cost supplier
-- Snowflake: SELECT TOP, ENDSWITH, QUALIFY
SELECT TOP 100
    s_acctbal,
    s_name,
    n_name,
    p_partkey,
    p_mfgr,
    s_address,
    s_phone,
    s_comment
FROM part
JOIN partsupp ON ps_partkey = p_partkey
JOIN supplier ON s_suppkey = ps_suppkey
JOIN nation ON n_nationkey = s_nationkey
JOIN region ON r_regionkey = n_regionkey
WHERE p_size = 15
  AND ENDSWITH(p_type, 'BRASS')
  AND r_name = 'EUROPE'
QUALIFY ps_supplycost = MIN(ps_supplycost) OVER (PARTITION BY p_partkey)
ORDER BY s_acctbal DESC, n_name, s_name, p_partkey;
