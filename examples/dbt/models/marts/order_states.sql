-- What changes between two runs: later, order 101 came back and order 102 was withdrawn.
{{ config(materialized='view') }}
{% set later = var('until') > '2024-02-01' %}
select
    order_id,
    {% if later %}case when order_id = 101 then 'returned' else status end as status{% else %}status{% endif %},
    amount,
    {% if later %}case when order_id = 101 then cast('2024-02-15 08:00:00' as timestamp) else cast(ordered_on as timestamp) end{% else %}cast(ordered_on as timestamp){% endif %} as changed_at
from {{ ref('stg_orders') }}
{% if later %}where order_id <> 102{% endif %}
