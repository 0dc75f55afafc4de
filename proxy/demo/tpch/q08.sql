-- Q8: national market share
-- Snowflake: IFF, DIV0, YEAR, TO_DATE
WITH all_nations AS (
    SELECT
        YEAR(o_orderdate)                  AS o_year,
        l_extendedprice * (1 - l_discount) AS volume,
        supplier_nation.n_name             AS nation
    FROM part
    JOIN lineitem ON l_partkey = p_partkey
    JOIN supplier ON s_suppkey = l_suppkey
    JOIN orders ON o_orderkey = l_orderkey
    JOIN customer ON c_custkey = o_custkey
    JOIN nation AS customer_nation ON customer_nation.n_nationkey = c_nationkey
    JOIN region ON r_regionkey = customer_nation.n_regionkey
    JOIN nation AS supplier_nation ON supplier_nation.n_nationkey = s_nationkey
    WHERE r_name = 'AMERICA'
      AND o_orderdate BETWEEN TO_DATE('1995-01-01') AND TO_DATE('1996-12-31')
      AND p_type = 'ECONOMY ANODIZED STEEL'
)
SELECT
    o_year,
    DIV0(SUM(IFF(nation = 'BRAZIL', volume, 0)), SUM(volume)) AS mkt_share
FROM all_nations
GROUP BY o_year
ORDER BY o_year;
