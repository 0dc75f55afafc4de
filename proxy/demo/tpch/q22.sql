-- Q22: global sales opportunity
-- Snowflake: LEFT, LIKE ANY, IFF inside AVG, NUMBER casts
WITH customers AS (
    SELECT
        c_custkey,
        c_acctbal,
        LEFT(c_phone, 2) AS cntrycode,
        AVG(IFF(c_acctbal > 0, c_acctbal, NULL)) OVER () AS avg_acctbal
    FROM customer
    WHERE c_phone LIKE ANY ('13%', '31%', '23%', '29%', '30%', '18%', '17%')
)
SELECT
    cntrycode,
    COUNT(*) AS numcust,
    SUM(c_acctbal)::NUMBER(38, 2) AS totacctbal
FROM customers
WHERE c_acctbal > avg_acctbal
  AND NOT EXISTS (SELECT 1 FROM orders WHERE o_custkey = c_custkey)
GROUP BY cntrycode
ORDER BY cntrycode;
