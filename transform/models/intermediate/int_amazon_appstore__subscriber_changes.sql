{{ config(materialized='table') }}

{#- Each person is counted in one plan of an app: the one in force that they began last. -#}
{% set of_person = 'source_relation, subscriber_id, app_name' %}
{% set of_plan = of_person ~ ', asin, vendor_sku, currency' %}

with changes as (
    select
        *,
        min(coalesce(asin, '') || '/' || coalesce(vendor_sku, '') || '/' || currency)
            over (partition by {{ of_person }})
        <> max(coalesce(asin, '') || '/' || coalesce(vendor_sku, '') || '/' || currency)
            over (partition by {{ of_person }}) as has_plans
    from {{ ref('int_amazon_appstore__mrr_movements') }}
    where subscriptions_change <> 0
),

days as (
    select distinct
        {{ of_person }},
        date_day
    from changes
    where has_plans
),

-- The plans of a person on each day on which any of them changes.
grid as (
    select
        days.source_relation,
        days.date_day,
        days.subscriber_id,
        days.app_name,
        plans.asin,
        plans.vendor_sku,
        plans.currency,
        0 as subscriptions_change
    from days
    inner join (
        select distinct {{ of_plan }}
        from changes
        where has_plans
    ) as plans
        on days.source_relation = plans.source_relation
        and days.subscriber_id = plans.subscriber_id
        and days.app_name = plans.app_name

    union all

    select
        source_relation,
        date_day,
        subscriber_id,
        app_name,
        asin,
        vendor_sku,
        currency,
        subscriptions_change
    from changes
    where has_plans
),

daily as (
    select
        {{ of_plan }},
        date_day,
        sum(subscriptions_change) as subscriptions_change
    from grid
    group by
        {{ of_plan }},
        date_day
),

states as (
    select
        *,
        sum(subscriptions_change) over (partition by {{ of_plan }} order by date_day)
            as subscriptions,
        max(case when subscriptions_change > 0 then date_day end) over (
            partition by {{ of_plan }} order by date_day
        ) as began_on
    from daily
),

ranked as (
    select
        *,
        row_number() over (
            partition by {{ of_person }}, date_day
            order by
                case when subscriptions > 0 then 0 else 1 end,
                case when began_on is null then 1 else 0 end,
                began_on desc,
                asin,
                vendor_sku,
                currency
        ) as place
    from states
),

counted as (
    select
        *,
        case when place = 1 and subscriptions > 0 then 1 else 0 end as is_counted
    from ranked
),

compared as (
    select
        *,
        is_counted - coalesce(
            lag(is_counted) over (partition by {{ of_plan }} order by date_day), 0
        ) as subscribers_change
    from counted
),

persons as (
    select
        {{ of_plan }},
        date_day,
        subscriptions_change as subscribers_change
    from changes
    where not has_plans

    union all

    select
        {{ of_plan }},
        date_day,
        subscribers_change
    from compared
    where subscribers_change <> 0
),

totals as (
    select
        *,
        sum(subscribers_change) over (partition by {{ of_person }}, date_day) as person_change,
        min(date_day) over (partition by {{ of_person }}) as first_day
    from persons
)

select
    source_relation,
    date_day,
    subscriber_id,
    app_name,
    asin,
    vendor_sku,
    currency,
    cast(subscribers_change as {{ dbt.type_bigint() }}) as subscribers_change,
    -- Coming or going is booked once a day, on the plan that gained or lost the person.
    case
        when person_change > 0 and subscribers_change > 0 and date_day = first_day then 'new'
        when person_change > 0 and subscribers_change > 0 then 'returning'
        when person_change < 0 and subscribers_change < 0 then 'lost'
    end as change
from totals
