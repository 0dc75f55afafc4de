-- Q21: suppliers who kept orders waiting
-- Snowflake: SELECT TOP, DATEDIFF with a bare part
SELECT TOP 100
    s_name,
    COUNT(*) AS numwait
FROM supplier
JOIN lineitem AS late ON late.l_suppkey = s_suppkey
JOIN orders ON o_orderkey = late.l_orderkey
JOIN nation ON n_nationkey = s_nationkey
WHERE o_orderstatus = 'F'
  AND n_name = 'SAUDI ARABIA'
  AND DATEDIFF(day, late.l_commitdate, late.l_receiptdate) > 0
  AND EXISTS (
      SELECT 1
      FROM lineitem AS other
      WHERE other.l_orderkey = late.l_orderkey
        AND other.l_suppkey <> late.l_suppkey
  )
  AND NOT EXISTS (
      SELECT 1
      FROM lineitem AS other
      WHERE other.l_orderkey = late.l_orderkey
        AND other.l_suppkey <> late.l_suppkey
        AND DATEDIFF(day, other.l_commitdate, other.l_receiptdate) > 0
  )
GROUP BY s_name
ORDER BY numwait DESC, s_name;
