{% set is_converted = var('amazon_appstore_exchange_rates') != '' %}
{% set of_cohort = 'source_relation, app_name, currency, cohort_month' %}

with revenue as (
    select
        {{ of_cohort }},
        {{ month_of('date_day') }} as date_month,
        new_subscribers,
        net_sales,
        estimated_earnings,
        0 as payers_change
    from {{ ref('int_amazon_appstore__revenue_in_reporting_currency') }}
    where cohort_month <= {{ month_of('date_day') }}
),
{% if is_converted %}

rates as (
    select * from {{ ref('int_amazon_appstore__exchange_rates') }}
),
{% endif %}

-- Who came and went, in the currency of their revenue on that day.
payers as (
    select
        movements.source_relation,
        movements.app_name,
        {{ reporting_currency('movements', is_converted) }} as currency,
        {{ month_of('movements.first_paid_on') }} as cohort_month,
        {{ month_of('movements.date_day') }} as date_month,
        0 as new_subscribers,
        0 as net_sales,
        0 as estimated_earnings,
        movements.payers_change
    from {{ ref('int_amazon_appstore__mrr_movements') }} as movements
    {% if is_converted %}
    left join rates
        on movements.first_paid_on = rates.date_day
        and movements.currency = rates.currency
    {% endif %}
    where movements.payers_change <> 0
),

last_days as (
    select
        source_relation,
        {{ month_of('last_day') }} as last_month,
        last_final_mrr_day
    from {{ ref('int_amazon_appstore__last_days') }}
    where last_day is not null
),

months as (
    select distinct
        source_relation,
        {{ month_of('date_day') }} as date_month
    from {{ ref('int_amazon_appstore__days') }}
),

cohorts as (
    select {{ of_cohort }}
    from revenue
    group by {{ of_cohort }}
),

filled as (
    select
        cohorts.source_relation,
        cohorts.app_name,
        cohorts.currency,
        cohorts.cohort_month,
        months.date_month,
        0 as new_subscribers,
        0 as net_sales,
        0 as estimated_earnings,
        0 as payers_change
    from cohorts
    inner join months
        on cohorts.source_relation = months.source_relation
        and cohorts.cohort_month <= months.date_month

    union all

    select * from revenue

    union all

    select * from payers
),

monthly as (
    select
        {{ of_cohort }},
        date_month,
        sum(new_subscribers) as new_subscribers,
        sum(net_sales) as net_sales,
        sum(estimated_earnings) as estimated_earnings,
        sum(payers_change) as payers_change
    from filled
    group by
        {{ of_cohort }},
        date_month
),

to_date as (
    select
        *,
        cast(sum(new_subscribers) over (partition by {{ of_cohort }}) as {{ dbt.type_bigint() }})
            as subscribers,
        {% for sum, measure, type in [
            ('active_subscribers', 'payers_change', dbt.type_bigint()),
            ('net_sales_to_date', 'net_sales', dbt.type_numeric()),
            ('earnings_to_date', 'estimated_earnings', dbt.type_numeric()),
        ] %}
        cast(
            sum({{ measure }}) over (partition by {{ of_cohort }} order by date_month)
            as {{ type }}
        ) as {{ sum }}{% if not loop.last %},{% endif %}

        {% endfor %}
    from monthly
)

select
    to_date.source_relation,
    to_date.cohort_month,
    cast({{ dbt.datediff('to_date.cohort_month', 'to_date.date_month', 'month') }}
        as {{ dbt.type_bigint() }}) as months_since,
    to_date.date_month,
    'amazon_appstore' as app_platform,
    to_date.app_name,
    to_date.currency,
    to_date.subscribers,
    to_date.active_subscribers,
    cast(
        to_date.active_subscribers * 1.0 / nullif(to_date.subscribers, 0)
        as {{ dbt.type_numeric() }}
    ) as retention_rate,
    cast(to_date.net_sales as {{ dbt.type_numeric() }}) as net_sales,
    cast(to_date.estimated_earnings as {{ dbt.type_numeric() }}) as estimated_earnings,
    to_date.net_sales_to_date,
    to_date.earnings_to_date,
    cast(
        to_date.net_sales_to_date / nullif(to_date.subscribers, 0) as {{ dbt.type_numeric() }}
    ) as ltv_net_sales,
    cast(
        to_date.earnings_to_date / nullif(to_date.subscribers, 0) as {{ dbt.type_numeric() }}
    ) as ltv_earnings,
    {{ dbt.last_day('to_date.date_month', 'month') }} > last_days.last_final_mrr_day
        as is_provisional
from to_date
inner join last_days
    on to_date.source_relation = last_days.source_relation
    and to_date.date_month <= last_days.last_month
