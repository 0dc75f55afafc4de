-- Q10: returned item reporting
-- Snowflake: SELECT TOP, DATEADD by month, NUMBER casts
SELECT TOP 20
    c_custkey,
    c_name,
    SUM(l_extendedprice * (1 - l_discount))::NUMBER(38, 4) AS revenue,
    c_acctbal,
    n_name,
    c_address,
    c_phone,
    c_comment
FROM customer
JOIN orders ON o_custkey = c_custkey
JOIN lineitem ON l_orderkey = o_orderkey
JOIN nation ON n_nationkey = c_nationkey
WHERE o_orderdate >= TO_DATE('1993-10-01')
  AND o_orderdate < DATEADD(month, 3, TO_DATE('1993-10-01'))
  AND l_returnflag = 'R'
GROUP BY c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment
ORDER BY revenue DESC;
