-- What the customers spent is what the orders cost.
select t.total, o.total as ordered
from (select sum(total) as total from {{ ref('customer_totals') }}) t
cross join (select sum(amount) as total from {{ ref('stg_orders') }}) o
where t.total <> o.total
