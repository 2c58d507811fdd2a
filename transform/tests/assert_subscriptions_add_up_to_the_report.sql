-- Per month, what the subscription mart says is what the report's lines say.
with figures as (
    select
        cast({{ dbt.date_trunc('month', 'date_day') }} as date) as date_month,
        active,
        started,
        ended,
        refunded
    from {{ ref('stg_amazon_appstore__subscriptions') }}

    union all

    select
        date_month,
        -active,
        -started,
        -ended,
        -refunded
    from {{ ref('amazon_appstore__subscription_report') }}
)

select date_month
from figures
group by date_month
having
    sum(active) <> 0
    or sum(started) <> 0
    or sum(ended) <> 0
    or sum(refunded) <> 0
