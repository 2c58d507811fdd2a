with standing as (
    {{ standing_lines('subscriptions') }}
)

select
    source_relation,
    line_id,
    coalesce(standing.date, report_month) as date_day,
    {{ month_of('coalesce(standing.date, report_month)') }} as date_month,
    marketplace,
    coalesce(app_title, '(no title)') as app_name,
    nullif(asin, 'NA') as asin,
    vendor_sku,
    subscription_title as subscription_name,
    subscription_duration,
    lower(subscription_type) as subscription_type,
    active,
    started,
    ended,
    refunded,
    _rescued_data is not null as has_rescued_data,
    {{ has_unread_values('subscriptions') }} as has_unread_values
from standing
