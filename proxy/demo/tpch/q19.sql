-- Q19: discounted revenue
-- Snowflake: DECODE instead of three OR branches, LIKE ANY, ZEROIFNULL
SELECT
    ZEROIFNULL(SUM(l_extendedprice * (1 - l_discount))) AS revenue
FROM lineitem
JOIN part ON p_partkey = l_partkey
WHERE l_shipmode LIKE ANY ('AIR', 'AIR REG')
  AND l_shipinstruct = 'DELIVER IN PERSON'
  AND p_size BETWEEN 1 AND DECODE(p_brand, 'Brand#12', 5, 'Brand#23', 10, 'Brand#34', 15)
  AND l_quantity - DECODE(p_brand, 'Brand#12', 1, 'Brand#23', 10, 'Brand#34', 20) BETWEEN 0 AND 10
  AND STARTSWITH(p_container, DECODE(p_brand, 'Brand#12', 'SM ', 'Brand#23', 'MED ', 'LG '))
  AND p_container LIKE ANY (
      'SM CASE', 'SM BOX', 'SM PACK', 'SM PKG',
      'MED BAG', 'MED BOX', 'MED PKG', 'MED PACK',
      'LG CASE', 'LG BOX', 'LG PACK', 'LG PKG'
  );
