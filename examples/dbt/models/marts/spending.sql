{{ config(materialized='table', contract={'enforced': true}) }}
with inexpensive as (select * from {{ ref('frequent') }})
select
    cast(t.customer_id as integer) as customer_id,
    cast(t.total as numeric(12,2)) as total
from {{ ref('customer_totals') }} t
join inexpensive i on i.customer_id = t.customer_id
