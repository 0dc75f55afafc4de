{# What a loading tool would have left: the table of the source, with its rows. #}
{% macro land_visits() -%}
    create table if not exists {{ target.schema }}.visits (
        visit_id integer, customer_id integer, seen_at timestamp
    );
    insert into {{ target.schema }}.visits
    select v.visit_id, v.customer_id, v.seen_at
    from (
        select 1 as visit_id, 1 as customer_id, cast('2024-01-03 09:00:00' as timestamp) as seen_at
        union all select 2, 1, cast('2024-01-20 10:15:00' as timestamp)
        union all select 3, 4, cast('2024-02-03 22:45:30' as timestamp)
    ) v
    where v.visit_id not in (select visit_id from {{ target.schema }}.visits)
{%- endmacro %}
