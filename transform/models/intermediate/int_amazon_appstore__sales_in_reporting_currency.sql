{% set is_converted = var('amazon_appstore_exchange_rates') != '' %}

select
    daily.date_month,
    daily.date_day,
    daily.app_name,
    daily.asin,
    daily.vendor_sku,
    daily.item_type,
    daily.item_name,
    daily.country_short,
    daily.device,
    {% if is_converted %}
    coalesce(rates.reporting_currency, daily.currency) as currency,
    {% else %}
    daily.currency,
    {% endif %}
    {% for count in sales_counts() %}
    daily.{{ count }},
    {% endfor %}
    {% for amount in sales_amounts() %}
    {% if is_converted %}
    cast(daily.{{ amount }} * coalesce(rates.rate, 1) as {{ dbt.type_numeric() }}) as {{ amount }},
    {% else %}
    daily.{{ amount }},
    {% endif %}
    {% endfor %}
    daily.report_lines,
    daily.report_fingerprint
from {{ ref('int_amazon_appstore__sales_daily') }} as daily
{% if is_converted %}
-- The reporting currency itself needs no rate; where another has none, its amounts stay as they are.
left join {{ ref('int_amazon_appstore__exchange_rates') }} as rates
    on daily.date_day = rates.date_day
    and daily.currency = rates.currency
{% endif %}
