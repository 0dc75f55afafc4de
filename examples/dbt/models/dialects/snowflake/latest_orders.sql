-- What only Snowflake's grammar has: QUALIFY, IFF, names of this SELECT in it, FLATTEN.
select
    customer_id,
    order_id,
    to_char(ordered_on, 'YYYY-MM-DD') as ordered_on,
    iff(status = 'completed', 1, 0) as completed,
    nvl(amount, 0) as amount,
    amount * 2 as twice,
    twice + 1 as more
from {{ ref('stg_orders') }}
qualify row_number() over (partition by customer_id order by stg_orders.ordered_on desc) = 1
