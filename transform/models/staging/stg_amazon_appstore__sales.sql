{% set identifiers = ['app_user_id', 'receipt_id', 'transaction_id', 'digital_order_id'] %}
{% set columns = [
    'source_relation',
    'line_id',
    'report_month',
    'report_last_modified',
    'date_day',
    'date_month',
    'transaction_at',
    'transaction_type',
    'is_adjustment',
    'marketplace',
    'app_name',
    'asin',
    'vendor_sku',
    'item_name',
    'item_type',
    'subscription_duration',
    'subscription_status',
    'country_short',
    'device',
    'currency',
    'units',
    'usage_time',
    'sales_price',
    'estimated_earnings',
] + identifiers + ['has_rescued_data', 'has_unread_values'] %}

with standing as (
    {{ standing_lines('sales') }}
),

cleaned as (
    select
        source_relation,
        line_id,
        report_month,
        report_last_modified,
        coalesce(transaction_date, report_month) as date_day,
        {{ month_of('coalesce(transaction_date, report_month)') }} as date_month,
        transaction_at,
        lower(transaction_type) as transaction_type,
        coalesce(adjustment, false) as is_adjustment,
        marketplace,
        coalesce(title, '(no title)') as app_name,
        nullif(asin, 'NA') as asin,
        vendor_sku,
        item_name,
        item_type,
        in_app_subscription_term as subscription_duration,
        upper(in_app_subscription_status) as subscription_status,
        country_region_code as country_short,
        device_type as device,
        -- Amazon's documentation abbreviates the Canadian dollar as CAN.
        case
            when marketplace_currency = 'CAN' then 'CAD'
            else coalesce(marketplace_currency, 'XXX')
        end as currency,
        coalesce(units, 0) as units,
        usage_time,
        coalesce(sales_price, 0) as sales_price,
        coalesce(estimated_earnings, 0) as estimated_earnings,
        {% for identifier in identifiers %}
        nullif({{ identifier }}, 'NA') as {{ identifier }},
        {% endfor %}
        _rescued_data is not null as has_rescued_data,
        {{ has_unread_values('sales') }} as has_unread_values
    from standing
)

select
    {% for column in columns %}
    {{ column }},
    {% endfor %}
    1 as report_lines,
    {{ content_fingerprint(columns) }} as report_fingerprint
from cleaned
