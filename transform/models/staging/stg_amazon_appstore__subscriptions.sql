{% set report = source('amazon_appstore', 'subscriptions') %}
{% set text, integer = dbt.type_string(), dbt.type_bigint() %}

{% if has_table(report) %}
with standing as (
    {{ standing_lines(report) }}
)

select
    line_id,
    cast(coalesce(standing.date, report_month) as date) as date_day,
    coalesce(app_title, '(no title)') as app_name,
    asin,
    vendor_sku,
    subscription_title as subscription_name,
    subscription_duration,
    lower(subscription_type) as subscription_type,
    active,
    started,
    ended,
    refunded
from standing
{% else %}
select
    cast(null as {{ text }}) as line_id,
    cast(null as date) as date_day,
    cast(null as {{ text }}) as app_name,
    cast(null as {{ text }}) as asin,
    cast(null as {{ text }}) as vendor_sku,
    cast(null as {{ text }}) as subscription_name,
    cast(null as {{ text }}) as subscription_duration,
    cast(null as {{ text }}) as subscription_type,
    cast(null as {{ integer }}) as active,
    cast(null as {{ integer }}) as started,
    cast(null as {{ integer }}) as ended,
    cast(null as {{ integer }}) as refunded
where 1 = 0
{% endif %}
