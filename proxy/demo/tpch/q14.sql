-- Q14: promotion effect
-- Snowflake: IFF, STARTSWITH, DATEADD by month
SELECT
    100.00 * SUM(IFF(STARTSWITH(p_type, 'PROMO'), l_extendedprice * (1 - l_discount), 0))
        / SUM(l_extendedprice * (1 - l_discount)) AS promo_revenue
FROM lineitem
JOIN part ON p_partkey = l_partkey
WHERE l_shipdate >= TO_DATE('1995-09-01')
  AND l_shipdate < DATEADD(month, 1, TO_DATE('1995-09-01'));
