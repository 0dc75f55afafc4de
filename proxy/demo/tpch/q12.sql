-- Q12: shipping modes and order priority
-- Snowflake: IFF, DATEADD by year, TO_DATE
SELECT
    l_shipmode,
    SUM(IFF(o_orderpriority IN ('1-URGENT', '2-HIGH'), 1, 0)) AS high_line_count,
    SUM(IFF(o_orderpriority IN ('1-URGENT', '2-HIGH'), 0, 1)) AS low_line_count
FROM orders
JOIN lineitem ON l_orderkey = o_orderkey
WHERE l_shipmode IN ('MAIL', 'SHIP')
  AND l_commitdate < l_receiptdate
  AND l_shipdate < l_commitdate
  AND l_receiptdate >= TO_DATE('1994-01-01')
  AND l_receiptdate < DATEADD(year, 1, TO_DATE('1994-01-01'))
GROUP BY l_shipmode
ORDER BY l_shipmode;
