with lines as (
    select * from {{ ref('int_amazon_appstore__subscription_periods') }}
),

-- The first trial and the first paid charge of each subscriber and subscription.
firsts as (
    select
        subscriber_id,
        app_name,
        asin,
        vendor_sku,
        max(subscription_name) as subscription_name,
        max(subscription_duration) as subscription_duration,
        min(case when is_trial then date_day end) as tried_on,
        min(case when is_paid then date_day end) as paid_on
    from lines
    where is_trial or is_paid
    group by
        subscriber_id,
        app_name,
        asin,
        vendor_sku
)

select
    paid_on as date_day,
    app_name,
    asin,
    vendor_sku,
    max(subscription_name) as subscription_name,
    max(subscription_duration) as subscription_duration,
    count(*) as trial_conversions
from firsts
where paid_on >= tried_on
group by
    paid_on,
    app_name,
    asin,
    vendor_sku
