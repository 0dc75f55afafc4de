select visit_id, customer_id, cast(seen_at as date) as seen_on
from {{ source('web', 'visits') }}
