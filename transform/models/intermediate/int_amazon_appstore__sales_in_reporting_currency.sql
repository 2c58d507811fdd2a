{% set is_converted = var('amazon_appstore_exchange_rates') != '' %}

select
    daily.source_relation,
    daily.date_month,
    daily.date_day,
    daily.app_name,
    daily.asin,
    daily.vendor_sku,
    daily.item_type,
    daily.item_name,
    daily.country_short,
    daily.device,
    {{ reporting_currency('daily', is_converted) }} as currency,
    {% for count in sales_counts() %}
    daily.{{ count }},
    {% endfor %}
    {% for amount in sales_amounts() %}
    {{ in_reporting_currency('daily.' ~ amount, is_converted) }} as {{ amount }},
    {% endfor %}
    daily.report_lines,
    daily.report_fingerprint
from {{ ref('int_amazon_appstore__sales_daily') }} as daily
{% if is_converted %}
left join {{ ref('int_amazon_appstore__exchange_rates') }} as rates
    on daily.date_day = rates.date_day
    and daily.currency = rates.currency
{% endif %}
