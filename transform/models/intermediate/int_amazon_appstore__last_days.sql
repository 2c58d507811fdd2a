{{ config(materialized='table') }}

{#- How many days Amazon's data lags, and how many days late a renewal may be charged. -#}
{% set lag_days = var('amazon_appstore_lag_days') | int %}
{% set grace_days = var('amazon_appstore_renewal_grace_days') | int %}

with files as (
    select
        source_relation,
        known_until,
        min(date_day) as first_day,
        max(written_on) as written_on
    from {{ ref('int_amazon_appstore__sales_daily') }}
    group by
        source_relation,
        known_until
),

-- A day is final once the lag has passed: by the file's own date, or before the last known day.
sales as (
    select
        source_relation,
        min(first_day) as first_day,
        max(known_until) as last_day,
        max(
            cast(
                case
                    when written_on > {{ dbt.dateadd('day', lag_days, 'known_until') }}
                        then known_until
                    else {{ dbt.dateadd('day', -lag_days, 'known_until') }}
                end as date
            )
        ) as last_final_day
    from files
    group by source_relation
),

subscriptions as (
    select
        source_relation,
        max(date_day) as last_subscription_day
    from {{ ref('stg_amazon_appstore__subscriptions') }}
    group by source_relation
),

sources as (
    select distinct source_relation
    from (
        select source_relation from sales
        union all
        select source_relation from subscriptions
    ) as either
)

select
    sources.source_relation,
    -- Reports begin in January 2018; a day far before is a slip that must not stretch the calendar.
    case
        when sales.first_day < cast('2017-01-01' as date) then cast('2017-01-01' as date)
        else sales.first_day
    end as first_day,
    sales.last_day,
    sales.last_final_day,
    cast({{ dbt.dateadd('day', -(grace_days + 1), 'sales.last_final_day') }} as date)
        as last_final_mrr_day,
    subscriptions.last_subscription_day,
    cast({{ dbt.dateadd('day', -lag_days, 'subscriptions.last_subscription_day') }} as date)
        as last_final_subscription_day
from sources
left join sales
    on sources.source_relation = sales.source_relation
left join subscriptions
    on sources.source_relation = subscriptions.source_relation
