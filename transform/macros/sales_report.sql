{#- The query of a sales mart: its measures by day, app, `dimensions` and currency. -#}
{% macro sales_report(dimensions=[], names=[]) %}

with sales as (
    select lines.*
    from {{ ref('int_amazon_appstore__sales_in_reporting_currency') }} as lines
    {% if is_incremental() %}
    inner join ({{ changed_months(ref('int_amazon_appstore__sales_months'), this) }}) as changed
        on lines.source_relation = changed.source_relation
        and lines.date_month = changed.date_month
    {% endif %}
),

last_days as (
    select
        source_relation,
        last_final_day
    from {{ ref('int_amazon_appstore__last_days') }}
),

summed as (
    select
        source_relation,
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
        source_relation,
        date_day,
        date_month,
        app_name,
        {% for dimension in dimensions %}
        {{ dimension }},
        {% endfor %}
        currency
)

select
    summed.*,
    cast(
        summed.gross_sales
        - summed.refunded_sales
        - summed.charged_back_sales
        + summed.reversed_sales
        + summed.other_sales
        as {{ dbt.type_numeric() }}
    ) as net_sales,
    summed.date_day > last_days.last_final_day as is_provisional
from summed
inner join last_days
    on summed.source_relation = last_days.source_relation
{% endmacro %}
