{% set report = source('amazon_appstore', 'sales') %}

with standing as (
    {{ standing_lines(report) }}
)

select
    line_id,
    cast(report_month as date) as report_month,
    cast(report_last_modified as timestamp) as report_last_modified,
    cast(coalesce(transaction_date, report_month) as date) as date_day,
    {{ month_of('coalesce(transaction_date, report_month)') }} as date_month,
    cast(transaction_at as timestamp) as transaction_at,
    lower(transaction_type) as transaction_type,
    coalesce(adjustment, false) as is_adjustment,
    coalesce(title, '(no title)') as app_name,
    asin,
    vendor_sku,
    item_name,
    item_type,
    in_app_subscription_term as subscription_duration,
    upper(in_app_subscription_status) as subscription_status,
    country_region_code as country_short,
    device_type as device,
    -- Amazon's page abbreviates the Canadian dollar as CAN.
    case
        when marketplace_currency = 'CAN' then 'CAD'
        else coalesce(marketplace_currency, 'XXX')
    end as currency,
    coalesce(units, 0) as units,
    cast(coalesce(sales_price, 0) as {{ dbt.type_numeric() }}) as sales_price,
    cast(coalesce(estimated_earnings, 0) as {{ dbt.type_numeric() }}) as estimated_earnings,
    {{ if_loaded(report, 'app_user_id') }} as app_user_id,
    {{ if_loaded(report, 'receipt_id') }} as receipt_id,
    nullif(transaction_id, 'NA') as transaction_id,
    {{ if_loaded(report, 'digital_order_id') }} as digital_order_id,
    1 as report_lines,
    {{ epoch_seconds('cast(report_last_modified as timestamp)') }} as report_fingerprint
from standing
