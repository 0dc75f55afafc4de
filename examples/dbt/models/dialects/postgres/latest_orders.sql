-- What only Postgres's grammar has: DISTINCT ON, FILTER, arrays, ::.
select distinct on (customer_id)
    customer_id,
    order_id,
    ordered_on::text as ordered_on,
    count(*) filter (where status = 'completed') over (partition by customer_id) as completed,
    array[status, 'x'] as words,
    amount::numeric(12,2) as amount
from {{ ref('stg_orders') }}
order by customer_id, ordered_on desc
