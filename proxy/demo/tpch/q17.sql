-- Q17: small quantity order revenue
-- Snowflake: ZEROIFNULL, QUALIFY against a windowed average
WITH small_orders AS (
    SELECT l_extendedprice
    FROM lineitem
    JOIN part ON p_partkey = l_partkey
    WHERE p_brand = 'Brand#23'
      AND p_container = 'MED BOX'
    QUALIFY l_quantity < 0.2 * AVG(l_quantity) OVER (PARTITION BY l_partkey)
)
SELECT
    ZEROIFNULL(SUM(l_extendedprice)) / 7.0 AS avg_yearly
FROM small_orders;
