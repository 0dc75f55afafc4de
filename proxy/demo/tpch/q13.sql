-- Q13: customer distribution
-- Snowflake: RLIKE (the whole string must match), NVL2
SELECT
    c_count,
    COUNT(*) AS custdist
FROM (
    SELECT
        c_custkey,
        SUM(NVL2(o_orderkey, 1, 0)) AS c_count
    FROM customer
    LEFT JOIN orders
        ON o_custkey = c_custkey
        AND NOT (o_comment RLIKE '.*special.*requests.*')
    GROUP BY c_custkey
) AS c_orders
GROUP BY c_count
ORDER BY custdist DESC, c_count DESC;
