{#- Period of a row, as its last day: from `daily_from` on the day itself, before it the month. -#}
{% macro day() -%}
case
            when date_day >= date '{{ daily_from }}' then date_day
            else cast(date_month + interval '1 month' - interval '1 day' as date)
        end
{%- endmacro %}


{#- A comma after all items of a loop but the last. -#}
{% macro comma(loop) %}{{ '' if loop.last else ',' }}{% endmacro %}


{% macro sales_sums() %}
{% for measure in [
    'downloads', 'in_app_units', 'subscription_units', 'other_units', 'refunds', 'chargebacks',
    'gross_sales', 'refunded_sales', 'charged_back_sales', 'reversed_sales', 'net_sales',
    'estimated_earnings',
] %}
    sum({{ measure }}) as {{ measure }}{{ comma(loop) }}
{% endfor %}
{% endmacro %}


{#- Sales by one more dimension, of which `key` tells the values apart. The first `kept` of each app,
    by units and by net sales in each currency, have the `columns`; the others are added up, with
    `other` in each of the columns. -#}
{% macro breakdown(columns, key, shared=[], other='null') %}
with sales as (
    select
        *,
        {{ day() }} as day,
        {{ key }} as named
    from {{ mart }}
),

by_units as (
    select
        app_name,
        named,
        row_number() over (
            partition by app_name
            order by
                sum(downloads + in_app_units + subscription_units + other_units) desc,
                named
        ) as place
    from sales
    group by app_name, named
),

by_net_sales as (
    select
        app_name,
        named,
        row_number() over (
            partition by app_name, currency
            order by sum(net_sales) desc, named
        ) as place
    from sales
    group by app_name, named, currency
),

kept as (
    select
        sales.app_name,
        sales.named,
{% for name, column in columns.items() %}
        max(sales.{{ column }}) as {{ name }}{{ comma(loop) }}
{% endfor %}
    from sales
    inner join (
        select app_name, named from by_units where place <= {{ kept }}
        union
        select app_name, named from by_net_sales where place <= {{ kept }}
    ) as firsts
        on sales.app_name = firsts.app_name
        and sales.named = firsts.named
    group by sales.app_name, sales.named
)

select
    sales.day,
    sales.source_relation as account,
    sales.app_name as app,
    sales.currency,
{% for column in shared %}
    sales.{{ column }},
{% endfor %}
{% for name in columns %}
    max(case when kept.named is null then {{ other }} else kept.{{ name }} end) as {{ name }},
{% endfor %}
{{ sales_sums() -}}
from sales
left join kept
    on sales.app_name = kept.app_name
    and sales.named = kept.named
{% set group %}
    sales.day,
    sales.source_relation,
    sales.app_name,
    sales.currency,
{% for column in shared %}
    sales.{{ column }},
{% endfor %}
    kept.named
{% endset %}
group by
{{ group -}}
order by
{{ group }}
{%- endmacro %}


{#- Levels as of the last day of a period that has them, and what moved them in it. Days without levels
    are left out. -#}
{% macro levels(dimensions, levels, flows) %}
with report as (
    select
        *,
        {{ day() }} as day
    from {{ mart }}
    where {{ levels[0] }} is not null
),

last_days as (
    select
        source_relation,
        day,
        max(date_day) as last_day
    from report
    group by source_relation, day
)

select
    report.day,
    report.source_relation as account,
{% for name, column in dimensions.items() %}
    report.{{ column }} as {{ name }},
{% endfor %}
{% for level in levels %}
    sum(
        case
            when report.date_day = last_days.last_day then report.{{ level }}
            when report.{{ level }} is not null then 0
        end
    ) as {{ level }},
{% endfor %}
{% for flow in flows %}
    sum(report.{{ flow }}) as {{ flow }}{{ comma(loop) }}
{% endfor %}
from report
inner join last_days
    on report.source_relation = last_days.source_relation
    and report.day = last_days.day
group by
    report.day,
    report.source_relation,
{% for column in dimensions.values() %}
    report.{{ column }}{{ comma(loop) }}
{% endfor %}
order by
    report.day,
    report.source_relation,
{% for column in dimensions.values() %}
    report.{{ column }}{{ comma(loop) }}
{% endfor %}
{% endmacro %}
