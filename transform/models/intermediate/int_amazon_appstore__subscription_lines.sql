with sales as (
    select * from {{ ref('stg_amazon_appstore__sales') }}
    where item_type = 'Subscription'
)

select
    line_id,
    date_month,
    date_day,
    transaction_at,
    transaction_type,
    -- Adjustments and paused subscriptions have no App User ID. A receipt's number ends in two
    -- counters, `:1:13`; what stands before them is the same from renewal to renewal.
    {{ dbt.hash(
        "coalesce(app_user_id, "
        ~ dbt.split_part("receipt_id", "':'", 1)
        ~ ", transaction_id, digital_order_id, line_id)"
    ) }} as subscriber_id,
    app_name,
    asin,
    vendor_sku,
    item_name as subscription_name,
    subscription_duration,
    currency,
    sales_price,
    coalesce(transaction_type = 'charge' and subscription_status = 'TRIAL', false) as is_trial,
    coalesce(
        transaction_type = 'charge'
        and coalesce(subscription_status, '') <> 'TRIAL'
        and not is_adjustment
        and sales_price > 0,
        false
    ) as is_paid,
    transaction_id,
    digital_order_id,
    receipt_id,
    report_lines,
    report_fingerprint
from sales
