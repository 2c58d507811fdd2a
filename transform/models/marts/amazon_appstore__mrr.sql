{% set gains, losses = ['new', 'expansion', 'reactivated'], ['contraction', 'churned'] %}
{% set of_series %}
source_relation, app_name, asin, vendor_sku, currency
{%- endset %}
{% set days_of_series = '(partition by ' ~ of_series ~ ' order by date_day)' %}

with days as (
    select
        source_relation,
        date_day
    from {{ ref('int_amazon_appstore__days') }}
),

last_days as (
    select
        source_relation,
        first_day,
        last_final_mrr_day
    from {{ ref('int_amazon_appstore__last_days') }}
),

-- A charge before the calendar begins is a slip in its date.
movements as (
    select movements.*
    from {{ ref('int_amazon_appstore__mrr_in_reporting_currency') }} as movements
    inner join days
        on movements.source_relation = days.source_relation
        and movements.date_day = days.date_day
),

series as (
    select
        {{ of_series }},
        max(subscription_name) as subscription_name,
        max(subscription_duration) as subscription_duration,
        min(date_day) as first_day
    from movements
    group by {{ of_series }}
),

-- Every day of a series, whether anything moved on it or not. They are added up and not joined:
-- databases have no quick way to join what may be null.
filled as (
    select
        series.source_relation,
        days.date_day,
        series.app_name,
        series.asin,
        series.vendor_sku,
        series.subscription_name,
        series.subscription_duration,
        series.currency,
        {{ null_of('text') }} as movement,
        0 as mrr_change,
        0 as earnings_mrr_change,
        0 as movement_mrr,
        0 as plan_change_mrr,
        0 as subscribers_change,
        0 as subscriptions_change
    from series
    inner join days
        on series.source_relation = days.source_relation
        and days.date_day >= series.first_day

    union all

    select
        source_relation,
        date_day,
        app_name,
        asin,
        vendor_sku,
        {{ null_of('text') }} as subscription_name,
        {{ null_of('text') }} as subscription_duration,
        currency,
        movement,
        mrr_change,
        earnings_mrr_change,
        movement_mrr,
        plan_change_mrr,
        subscribers_change,
        subscriptions_change
    from movements
),

moved as (
    select
        {{ of_series }},
        date_day,
        max(subscription_name) as subscription_name,
        max(subscription_duration) as subscription_duration,
        {% for movement in gains %}
        sum(case when movement = '{{ movement }}' then movement_mrr else 0 end)
            as {{ movement }}_mrr,
        {% endfor %}
        {% for movement in losses %}
        sum(case when movement = '{{ movement }}' then -movement_mrr else 0 end)
            as {{ movement }}_mrr,
        {% endfor %}
        sum(plan_change_mrr) as plan_change_mrr,
        sum(mrr_change) as mrr_change,
        sum(earnings_mrr_change) as earnings_mrr_change,
        sum(subscribers_change) as subscribers_change,
        sum(subscriptions_change) as subscriptions_change
    from filled
    group by
        {{ of_series }},
        date_day
),

levels as (
    select
        *,
        cast(sum(mrr_change) over {{ days_of_series }} as {{ dbt.type_numeric() }}) as mrr,
        cast(sum(earnings_mrr_change) over {{ days_of_series }} as {{ dbt.type_numeric() }})
            as earnings_mrr,
        cast(sum(subscribers_change) over {{ days_of_series }} as {{ dbt.type_bigint() }})
            as subscribers,
        cast(sum(subscriptions_change) over {{ days_of_series }} as {{ dbt.type_bigint() }})
            as subscriptions
    from moved
)

select
    levels.source_relation,
    levels.date_day,
    {{ month_of('levels.date_day') }} as date_month,
    'amazon_appstore' as app_platform,
    levels.app_name,
    levels.asin,
    levels.vendor_sku,
    levels.subscription_name,
    levels.subscription_duration,
    levels.currency,
    levels.mrr,
    levels.earnings_mrr,
    cast(levels.mrr * 12 as {{ dbt.type_numeric() }}) as arr,
    {% for movement in gains + losses + ['plan_change'] %}
    cast(levels.{{ movement }}_mrr as {{ dbt.type_numeric() }}) as {{ movement }}_mrr,
    {% endfor %}
    levels.subscribers,
    levels.subscriptions,
    levels.date_day > last_days.last_final_mrr_day as is_provisional
from levels
inner join last_days
    on levels.source_relation = last_days.source_relation
