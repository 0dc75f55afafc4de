select
    id as customer_id,
    first_name || ' ' || last_name as name,
    email,
    city,
    updated_at
from {{ ref('customers') }}
