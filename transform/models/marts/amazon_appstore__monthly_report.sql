{% set sales_amounts = [
    'gross_sales', 'refunded_sales', 'charged_back_sales', 'reversed_sales', 'net_sales',
    'estimated_earnings',
] %}
{% set movements = ['new', 'expansion', 'reactivated', 'contraction', 'churned'] %}
{% set is_converted = var('amazon_appstore_exchange_rates') != '' %}
{% set of_row = 'source_relation, date_month, app_name, currency' %}

with last_days as (
    select * from {{ ref('int_amazon_appstore__last_days') }}
    where last_day is not null
),

-- The day that a month's levels are of: its last, in the newest month the last final one.
level_days as (
    select
        days.source_relation,
        {{ month_of('days.date_day') }} as date_month,
        max(
            case when days.date_day <= last_days.last_final_mrr_day then days.date_day end
        ) as date_day
    from {{ ref('int_amazon_appstore__days') }} as days
    inner join last_days
        on days.source_relation = last_days.source_relation
    group by
        days.source_relation,
        {{ month_of('days.date_day') }}
),

sales as (
    select
        {{ of_row }},
        {% for amount in sales_amounts %}
        sum({{ amount }}) as {{ amount }}{% if not loop.last %},{% endif %}

        {% endfor %}
    from {{ ref('amazon_appstore__overview_report') }}
    group by {{ of_row }}
),

mrr as (
    select
        mrr.source_relation,
        mrr.date_month,
        mrr.app_name,
        mrr.currency,
        {% for level in ['mrr', 'earnings_mrr', 'subscribers'] %}
        sum(case when mrr.date_day = level_days.date_day then mrr.{{ level }} end) as {{ level }},
        {% endfor %}
        {% for movement in movements %}
        sum(mrr.{{ movement }}_mrr) as {{ movement }}_mrr{% if not loop.last %},{% endif %}

        {% endfor %}
    from {{ ref('amazon_appstore__mrr') }} as mrr
    inner join level_days
        on mrr.source_relation = level_days.source_relation
        and mrr.date_month = level_days.date_month
        and mrr.date_day <= level_days.date_day
    group by
        mrr.source_relation,
        mrr.date_month,
        mrr.app_name,
        mrr.currency
),

payers as (
    select
        users.source_relation,
        users.date_month,
        users.app_name,
        {{ reporting_currency('users', is_converted) }} as currency,
        sum(users.paying_users) as paying_users,
        sum({{ in_reporting_currency('users.net_sales', is_converted) }}) as user_net_sales
    from {{ ref('int_amazon_appstore__paying_users') }} as users
    {% if is_converted %}
    left join {{ ref('int_amazon_appstore__exchange_rates') }} as rates
        on users.date_month = rates.date_day
        and users.currency = rates.currency
    {% endif %}
    group by
        users.source_relation,
        users.date_month,
        users.app_name,
        {{ reporting_currency('users', is_converted) }}
),

-- Accounts whose users are loaded: a month without payers has 0 there, not null.
identified as (
    select distinct source_relation from {{ ref('int_amazon_appstore__paying_users') }}
),

keys as (
    select distinct {{ of_row }}
    from (
        select {{ of_row }} from sales
        union all
        select {{ of_row }} from mrr
    ) as either
),

months as (
    select
        keys.*,
        level_days.date_day,
        {% for amount in sales_amounts %}
        coalesce(sales.{{ amount }}, 0) as {{ amount }},
        {% endfor %}
        case
            when identified.source_relation is not null then coalesce(payers.paying_users, 0)
        end as paying_users,
        payers.user_net_sales,
        mrr.mrr,
        mrr.earnings_mrr,
        mrr.subscribers,
        {% for movement in movements %}
        mrr.{{ movement }}_mrr,
        {% endfor %}
        lag(mrr.mrr) over (
            partition by keys.source_relation, keys.app_name, keys.currency
            order by keys.date_month
        ) as previous_mrr,
        lag(keys.date_month) over (
            partition by keys.source_relation, keys.app_name, keys.currency
            order by keys.date_month
        ) as previous_month,
        {{ dbt.last_day('keys.date_month', 'month') }} > last_days.last_final_mrr_day
            as is_provisional
    from keys
    inner join last_days
        on keys.source_relation = last_days.source_relation
    left join level_days
        on keys.source_relation = level_days.source_relation
        and keys.date_month = level_days.date_month
    left join sales
        on keys.source_relation = sales.source_relation
        and keys.date_month = sales.date_month
        and keys.app_name = sales.app_name
        and keys.currency = sales.currency
    left join mrr
        on keys.source_relation = mrr.source_relation
        and keys.date_month = mrr.date_month
        and keys.app_name = mrr.app_name
        and keys.currency = mrr.currency
    left join identified
        on keys.source_relation = identified.source_relation
    left join payers
        on keys.source_relation = payers.source_relation
        and keys.date_month = payers.date_month
        and keys.app_name = payers.app_name
        and keys.currency = payers.currency
),

compared as (
    select
        *,
        case
            when previous_month = {{ dbt.dateadd('month', -1, 'date_month') }} then previous_mrr
        end as mrr_previous_month
    from months
)

select
    source_relation,
    date_month,
    date_day,
    'amazon_appstore' as app_platform,
    app_name,
    currency,
    {% for amount in sales_amounts %}
    cast({{ amount }} as {{ dbt.type_numeric() }}) as {{ amount }},
    {% endfor %}
    {% for rate, part in [
        ('refund_rate', 'refunded_sales'), ('chargeback_rate', 'charged_back_sales')
    ] %}
    cast({{ part }} / nullif(gross_sales, 0) as {{ dbt.type_numeric() }}) as {{ rate }},
    {% endfor %}
    cast(paying_users as {{ dbt.type_bigint() }}) as paying_users,
    cast(user_net_sales / nullif(paying_users, 0) as {{ dbt.type_numeric() }}) as arppu,
    cast(mrr as {{ dbt.type_numeric() }}) as mrr,
    cast(earnings_mrr as {{ dbt.type_numeric() }}) as earnings_mrr,
    cast(mrr * 12 as {{ dbt.type_numeric() }}) as arr,
    cast(subscribers as {{ dbt.type_bigint() }}) as subscribers,
    cast(mrr_previous_month as {{ dbt.type_numeric() }}) as mrr_previous_month,
    {% for movement in movements %}
    cast({{ movement }}_mrr as {{ dbt.type_numeric() }}) as {{ movement }}_mrr,
    {% endfor %}
    cast(
        (churned_mrr + contraction_mrr) / nullif(mrr_previous_month, 0)
        as {{ dbt.type_numeric() }}
    ) as gross_mrr_churn_rate,
    cast(
        (churned_mrr + contraction_mrr - expansion_mrr - reactivated_mrr)
        / nullif(mrr_previous_month, 0)
        as {{ dbt.type_numeric() }}
    ) as net_mrr_churn_rate,
    is_provisional
from compared
