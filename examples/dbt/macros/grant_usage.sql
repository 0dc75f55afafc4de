{# Lets the reader into the schemas of this run; run hooks call it. #}
{% macro grant_usage(schemas) -%}
    {% for schema in schemas %}grant usage on schema {{ schema }} to {{ var('reader', 'analyst') }};{% endfor %}
{%- endmacro %}
