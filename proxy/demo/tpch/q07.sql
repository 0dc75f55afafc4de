-- Q7: volume shipping
-- Snowflake: YEAR, DECODE, TO_DATE; reuse of a column's alias in the same SELECT and in WHERE
WITH shipping AS (
    SELECT
        supplier_nation.n_name              AS supp_nation,
        customer_nation.n_name              AS cust_nation,
        YEAR(l_shipdate)                    AS l_year,
        l_extendedprice * (1 - l_discount)  AS volume
    FROM supplier
    JOIN lineitem ON l_suppkey = s_suppkey
    JOIN orders ON o_orderkey = l_orderkey
    JOIN customer ON c_custkey = o_custkey
    JOIN nation AS supplier_nation ON supplier_nation.n_nationkey = s_nationkey
    JOIN nation AS customer_nation ON customer_nation.n_nationkey = c_nationkey
    WHERE cust_nation = DECODE(supp_nation, 'FRANCE', 'GERMANY', 'GERMANY', 'FRANCE')
      AND l_shipdate BETWEEN TO_DATE('1995-01-01') AND TO_DATE('1996-12-31')
)
SELECT
    supp_nation,
    cust_nation,
    l_year,
    SUM(volume) AS revenue
FROM shipping
GROUP BY supp_nation, cust_nation, l_year
ORDER BY supp_nation, cust_nation, l_year;
