{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}
select order_id{% if var('unexpected') %}, status{% endif %}
from {{ ref('stg_orders') }}
{% if is_incremental() %}where ordered_on > cast('2024-02-01' as date) and order_id not in (select order_id from {{ this }}){% endif %}
