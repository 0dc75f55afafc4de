-- Q16: parts/supplier relationship
-- Snowflake: STARTSWITH, RLIKE (the whole string must match), GROUP BY ALL
SELECT
    p_brand,
    p_type,
    p_size,
    COUNT(DISTINCT ps_suppkey) AS supplier_cnt
FROM partsupp
JOIN part ON p_partkey = ps_partkey
WHERE p_brand <> 'Brand#45'
  AND NOT STARTSWITH(p_type, 'MEDIUM POLISHED')
  AND p_size IN (49, 14, 23, 45, 19, 3, 36, 9)
  AND ps_suppkey NOT IN (
      SELECT s_suppkey
      FROM supplier
      WHERE s_comment RLIKE '.*Customer.*Complaints.*'
  )
GROUP BY ALL
ORDER BY supplier_cnt DESC, p_brand, p_type, p_size;
