{#- The measures of the sales marts, in their order: quantities, then amounts of money. -#}
{% macro sales_counts() %}
    {{ return([
        'downloads',
        'in_app_units',
        'subscription_units',
        'other_units',
        'refunds',
        'chargebacks',
        'chargeback_reversals',
        'adjustments',
        'usage_minutes',
    ]) }}
{% endmacro %}

{% macro sales_amounts() %}
    {{ return([
        'gross_sales',
        'refunded_sales',
        'charged_back_sales',
        'reversed_sales',
        'other_sales',
        'estimated_earnings',
    ]) }}
{% endmacro %}


{#- The sums of these measures. Cast, because warehouses widen the type of what they add up. -#}
{% macro sales_sums() -%}
    {% for count in sales_counts() %}
    cast(
        sum({{ count }})
        as {{ dbt.type_numeric() if count == 'usage_minutes' else dbt.type_bigint() }}
    ) as {{ count }},
    {%- endfor %}
    {%- for amount in sales_amounts() %}
    cast(sum({{ amount }}) as {{ dbt.type_numeric() }}) as {{ amount }}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
{%- endmacro %}
