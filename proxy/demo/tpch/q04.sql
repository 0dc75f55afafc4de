-- Q4: order priority checking
-- Snowflake: DATE_FROM_PARTS, DATEADD by quarter
SELECT
    o_orderpriority,
    COUNT(*) AS order_count
FROM orders
WHERE o_orderdate >= DATE_FROM_PARTS(1993, 7, 1)
  AND o_orderdate < DATEADD(quarter, 1, DATE_FROM_PARTS(1993, 7, 1))
  AND EXISTS (
      SELECT 1
      FROM lineitem
      WHERE l_orderkey = o_orderkey
        AND l_commitdate < l_receiptdate
  )
GROUP BY o_orderpriority
ORDER BY o_orderpriority;
