-- Q15: top supplier
-- Snowflake: DATEADD by month, NUMBER casts, QUALIFY RANK()
WITH revenue AS (
    SELECT
        l_suppkey                                              AS supplier_no,
        SUM(l_extendedprice * (1 - l_discount))::NUMBER(38, 4) AS total_revenue
    FROM lineitem
    WHERE l_shipdate >= TO_DATE('1996-01-01')
      AND l_shipdate < DATEADD(month, 3, TO_DATE('1996-01-01'))
    GROUP BY l_suppkey
    QUALIFY RANK() OVER (ORDER BY total_revenue DESC) = 1
)
SELECT
    s_suppkey,
    s_name,
    s_address,
    s_phone,
    total_revenue
FROM supplier
JOIN revenue ON supplier_no = s_suppkey
ORDER BY s_suppkey;
