{{ config(materialized='ephemeral') }}
select customer_id from {{ ref('customer_totals') }} where orders > 0
