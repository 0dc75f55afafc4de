{{ config(
    materialized='incremental', incremental_strategy='merge', unique_key=['order_id', 'ordered_on'],
    on_schema_change='sync_all_columns', indexes=[{'columns': ['order_id', 'ordered_on']}]
) }}
select order_id, ordered_on, {% if var('wider') %}amount, tags{% else %}status, cast(amount as integer) as amount{% endif %}
from {{ ref('stg_orders') }}
