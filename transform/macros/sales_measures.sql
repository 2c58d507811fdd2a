{#- The measures of the sales marts, in their order: counts, then amounts. -#}
{% macro sales_counts() %}
    {{ return([
        'downloads',
        'in_app_units',
        'subscription_units',
        'other_units',
        'refunds',
        'chargebacks',
        'chargeback_reversals',
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
