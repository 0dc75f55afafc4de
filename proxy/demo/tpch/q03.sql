-- Q3: shipping priority
-- Snowflake: SELECT TOP, TO_DATE, NUMBER casts
SELECT TOP 10
    l_orderkey,
    SUM(l_extendedprice * (1 - l_discount))::NUMBER(38, 4) AS revenue,
    o_orderdate,
    o_shippriority
FROM customer
JOIN orders ON o_custkey = c_custkey
JOIN lineitem ON l_orderkey = o_orderkey
WHERE c_mktsegment = 'BUILDING'
  AND o_orderdate < TO_DATE('1995-03-15')
  AND l_shipdate > TO_DATE('1995-03-15')
GROUP BY l_orderkey, o_orderdate, o_shippriority
ORDER BY revenue DESC, o_orderdate;
