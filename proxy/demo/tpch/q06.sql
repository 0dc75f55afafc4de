-- Q6: forecasting revenue change
-- Snowflake: ADD_MONTHS, ZEROIFNULL
SELECT
    ZEROIFNULL(SUM(l_extendedprice * l_discount)) AS revenue
FROM lineitem
WHERE l_shipdate >= TO_DATE('1994-01-01')
  AND l_shipdate < ADD_MONTHS(TO_DATE('1994-01-01'), 12)
  AND l_discount BETWEEN 0.06 - 0.01 AND 0.06 + 0.01
  AND l_quantity < 24;
