{#- The month of a day, as its first day: what tables grow by, so the same in all of them. -#}
{% macro month_of(day) -%}
    cast({{ dbt.date_trunc('month', day) }} as date)
{%- endmacro %}
