{#- Seconds from 1970 to a timestamp, as a whole number. -#}
{% macro epoch_seconds(timestamp) %}
    {{- return(adapter.dispatch('epoch_seconds', 'amazon_appstore')(timestamp)) -}}
{% endmacro %}

{% macro default__epoch_seconds(timestamp) -%}
    cast(extract(epoch from {{ timestamp }}) as bigint)
{%- endmacro %}

{% macro spark__epoch_seconds(timestamp) -%}
    unix_timestamp({{ timestamp }})
{%- endmacro %}
