select
    id as order_id,
    customer_id,
    ordered_on,
    status,
    amount,
    tags
from {{ ref('orders') }}
where ordered_on < cast('{{ var("until") }}' as date)
