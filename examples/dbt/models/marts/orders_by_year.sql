{{ config(
    materialized='incremental', incremental_strategy='microbatch', unique_key='order_id',
    event_time='ordered_at', batch_size='year', begin='2024-01-01'
) }}
select order_id, cast(ordered_on as timestamp) as ordered_at, amount from {{ ref('stg_orders') }}
