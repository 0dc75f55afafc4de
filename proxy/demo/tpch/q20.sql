-- Q20: potential part promotion
-- Snowflake: STARTSWITH, DATEADD by year, TO_DATE
SELECT
    s_name,
    s_address
FROM supplier
JOIN nation ON n_nationkey = s_nationkey
WHERE n_name = 'CANADA'
  AND s_suppkey IN (
      SELECT ps_suppkey
      FROM partsupp
      JOIN part ON p_partkey = ps_partkey
      WHERE STARTSWITH(p_name, 'forest')
        AND ps_availqty > (
            SELECT 0.5 * SUM(l_quantity)
            FROM lineitem
            WHERE l_partkey = ps_partkey
              AND l_suppkey = ps_suppkey
              AND l_shipdate >= TO_DATE('1994-01-01')
              AND l_shipdate < DATEADD(year, 1, TO_DATE('1994-01-01'))
        )
  )
ORDER BY s_name;
