{{ config(
    materialized='incremental', unique_key='order_id', on_schema_change='append_new_columns',
    indexes=[{'columns': ['order_id'], 'unique': true}, {'columns': ['ordered_on'], 'type': 'hash'}]
) }}
select order_id, ordered_on{% if var('wider') %}, status, amount as "Net amount"{% endif %}
from {{ ref('stg_orders') }}
