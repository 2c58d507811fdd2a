{#- By kind: the net sales of items, and what of subscriptions is the first charge of a subscriber. -#}
{% set kinds = ['app', 'in_app', 'new_subscription', 'renewal', 'other'] %}
{% set of_row = 'source_relation, date_day, app_name, currency' %}

with report as (
    {{ sales_report() }}
),

sales as (
    select
        *,
        gross_sales - refunded_sales - charged_back_sales + reversed_sales + other_sales as net_sales
    from {{ ref('int_amazon_appstore__sales_in_reporting_currency') }}
),

kinds as (
    select
        {{ of_row }},
        case
            when item_type = 'Application' then 'app'
            when item_type in ('In-App', 'In-Game') then 'in_app'
            when item_type = 'Subscription' then 'renewal'
            else 'other'
        end as kind,
        net_sales,
        estimated_earnings
    from sales

    union all

    select
        {{ of_row }},
        'new_subscription' as kind,
        new_net_sales as net_sales,
        new_earnings as estimated_earnings
    from {{ ref('int_amazon_appstore__revenue_in_reporting_currency') }}
    where new_net_sales <> 0 or new_earnings <> 0

    union all

    select
        {{ of_row }},
        'renewal' as kind,
        -new_net_sales as net_sales,
        -new_earnings as estimated_earnings
    from {{ ref('int_amazon_appstore__revenue_in_reporting_currency') }}
    where new_net_sales <> 0 or new_earnings <> 0
),

by_kind as (
    select
        {{ of_row }},
        {% for kind in kinds %}
        cast(
            sum(case when kind = '{{ kind }}' then net_sales else 0 end)
            as {{ dbt.type_numeric() }}
        ) as {{ kind }}_net_sales,
        cast(
            sum(case when kind = '{{ kind }}' then estimated_earnings else 0 end)
            as {{ dbt.type_numeric() }}
        ) as {{ kind }}_earnings{% if not loop.last %},{% endif %}

        {% endfor %}
    from kinds
    group by {{ of_row }}
)

select
    report.*,
    {% for kind in kinds %}
    by_kind.{{ kind }}_net_sales,
    {% endfor %}
    {% for kind in kinds %}
    by_kind.{{ kind }}_earnings{% if not loop.last %},{% endif %}

    {% endfor %}
from report
inner join by_kind
    on report.source_relation = by_kind.source_relation
    and report.date_day = by_kind.date_day
    and report.app_name = by_kind.app_name
    and report.currency = by_kind.currency
