select o.order_id, t.index as place, t.value::varchar as tag
from {{ ref('stg_orders') }} o, lateral flatten(input => parse_json(o.tags)) t
