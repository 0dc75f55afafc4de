-- Q5: local supplier volume
-- Snowflake: DATEADD by year on a literal, NUMBER casts
SELECT
    n_name,
    SUM(l_extendedprice * (1 - l_discount))::NUMBER(38, 4) AS revenue
FROM customer
JOIN orders ON o_custkey = c_custkey
JOIN lineitem ON l_orderkey = o_orderkey
JOIN supplier ON s_suppkey = l_suppkey AND s_nationkey = c_nationkey
JOIN nation ON n_nationkey = s_nationkey
JOIN region ON r_regionkey = n_regionkey
WHERE r_name = 'ASIA'
  AND o_orderdate >= '1994-01-01'::DATE
  AND o_orderdate < DATEADD(year, 1, '1994-01-01'::DATE)
GROUP BY n_name
ORDER BY revenue DESC;
