{{ config(materialized='table') }}

{% set of_subscriber = 'source_relation, subscriber_id, app_name, currency' %}

with periods as (
    select * from {{ ref('int_amazon_appstore__subscription_periods') }}
),

{% set columns %}
        source_relation,
        subscriber_id,
        app_name,
        asin,
        vendor_sku,
        subscription_name,
        subscription_duration,
        currency,
        first_paid_on
{%- endset %}

events as (
    select
        starts_on as date_day,
        {{ columns | trim }},
        monthly_price as mrr_change,
        monthly_earnings as earnings_mrr_change,
        1 as subscriptions_change
    from periods

    union all

    select
        ends_on as date_day,
        {{ columns | trim }},
        -monthly_price as mrr_change,
        -monthly_earnings as earnings_mrr_change,
        -1 as subscriptions_change
    from periods
    where ends_on is not null
),

changes as (
    select
        source_relation,
        date_day,
        subscriber_id,
        app_name,
        asin,
        vendor_sku,
        max(subscription_name) as subscription_name,
        max(subscription_duration) as subscription_duration,
        currency,
        min(first_paid_on) as first_paid_on,
        cast(sum(mrr_change) as {{ dbt.type_numeric() }}) as mrr_change,
        cast(sum(earnings_mrr_change) as {{ dbt.type_numeric() }}) as earnings_mrr_change,
        cast(sum(subscriptions_change) as {{ dbt.type_bigint() }}) as subscriptions_change
    from events
    group by
        source_relation,
        date_day,
        subscriber_id,
        app_name,
        asin,
        vendor_sku,
        currency
    -- A renewal at the same price changes nothing.
    having
        sum(mrr_change) <> 0
        or sum(earnings_mrr_change) <> 0
        or sum(subscriptions_change) <> 0
),

-- Whether a subscriber is new, lost or stays depends on all that they pay for the app.
weighed as (
    select
        *,
        sum(mrr_change) over (
            partition by {{ of_subscriber }} order by date_day
        ) as app_mrr,
        sum(mrr_change) over (partition by {{ of_subscriber }}, date_day) as app_mrr_change,
        min(mrr_change) over (partition by {{ of_subscriber }}, date_day) as least_change,
        max(mrr_change) over (partition by {{ of_subscriber }}, date_day) as greatest_change,
        min(case when mrr_change > 0 then date_day end) over (partition by {{ of_subscriber }})
            as first_day
    from changes
),

-- A switch between plans counts by its difference, on the plan that changes most in its direction.
ranked as (
    select
        *,
        row_number() over (
            partition by {{ of_subscriber }}, date_day
            order by
                case when app_mrr_change < 0 then -mrr_change else mrr_change end desc,
                asin,
                vendor_sku
        ) as place
    from weighed
),

moved as (
    select
        *,
        case
            when app_mrr_change = 0 then null
            when app_mrr = app_mrr_change and date_day = first_day then 'new'
            when app_mrr = app_mrr_change then 'reactivated'
            when app_mrr = 0 then 'churned'
            when app_mrr_change > 0 then 'expansion'
            else 'contraction'
        end as movement,
        cast(
            case
                when least_change >= 0 or greatest_change <= 0 then mrr_change
                when place = 1 then app_mrr_change
                else 0
            end as {{ dbt.type_numeric() }}
        ) as movement_mrr
    from ranked
)

select
    source_relation,
    date_day,
    subscriber_id,
    app_name,
    asin,
    vendor_sku,
    subscription_name,
    subscription_duration,
    currency,
    first_paid_on,
    mrr_change,
    earnings_mrr_change,
    movement,
    movement_mrr,
    cast(mrr_change - movement_mrr as {{ dbt.type_numeric() }}) as plan_change_mrr,
    subscriptions_change,
    cast(
        case
            when place = 1 and movement in ('new', 'reactivated') then 1
            when place = 1 and movement = 'churned' then -1
            else 0
        end as {{ dbt.type_bigint() }}
    ) as payers_change
from moved
