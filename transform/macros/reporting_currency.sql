{#- Currency of a converted row, from a relation and the rates joined to it as `rates`. The reporting
    currency itself needs no rate; where another has none, amounts stay as they are. -#}
{% macro reporting_currency(relation, is_converted) -%}
    {% if is_converted -%}
    coalesce(rates.reporting_currency, {{ relation }}.currency)
    {%- else -%}
    {{ relation }}.currency
    {%- endif %}
{%- endmacro %}


{#- An amount of such a row. -#}
{% macro in_reporting_currency(amount, is_converted) -%}
    {% if is_converted -%}
    cast({{ amount }} * coalesce(rates.rate, 1) as {{ dbt.type_numeric() }})
    {%- else -%}
    {{ amount }}
    {%- endif %}
{%- endmacro %}
