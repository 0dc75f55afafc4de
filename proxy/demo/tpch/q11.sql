-- Q11: important stock identification
-- Snowflake: NUMBER casts, QUALIFY over an aggregate of the groups
SELECT
    ps_partkey,
    SUM(ps_supplycost * ps_availqty)::NUMBER(38, 2) AS value
FROM partsupp
JOIN supplier ON s_suppkey = ps_suppkey
JOIN nation ON n_nationkey = s_nationkey
WHERE n_name = 'GERMANY'
GROUP BY ps_partkey
QUALIFY SUM(ps_supplycost * ps_availqty)
    > SUM(SUM(ps_supplycost * ps_availqty)) OVER () * 0.0001
ORDER BY value DESC;
