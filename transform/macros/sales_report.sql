{#- The query of a sales mart: its measures by day, app, `dimensions` and currency. -#}
{% macro sales_report(dimensions=[], names=[]) %}

with sales as (
    select * from {{ ref('int_amazon_appstore__sales_in_reporting_currency') }}
    {% if is_incremental() %}
    where date_month in ({{ changed_months(ref('int_amazon_appstore__sales_months'), this) }})
    {% endif %}
),

summed as (
    select
        date_day,
        date_month,
        'amazon_appstore' as app_platform,
        app_name,
        {% for dimension in dimensions %}
        {{ dimension }},
        {% endfor %}
        {% for name in names %}
        max({{ name }}) as {{ name }},
        {% endfor %}
        currency,
        {{ sales_sums() }},
        cast(sum(report_lines) as {{ dbt.type_bigint() }}) as report_lines,
        cast(sum(report_fingerprint) as {{ dbt.type_bigint() }}) as report_fingerprint
    from sales
    group by
        date_day,
        date_month,
        app_name,
        {% for dimension in dimensions %}
        {{ dimension }},
        {% endfor %}
        currency
)

select
    *,
    cast(
        gross_sales - refunded_sales - charged_back_sales + reversed_sales + other_sales
        as {{ dbt.type_numeric() }}
    ) as net_sales
from summed
{% endmacro %}
