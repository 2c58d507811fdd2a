{% set is_converted = var('amazon_appstore_exchange_rates') != '' %}

with movements as (
    select * from {{ ref('int_amazon_appstore__mrr_movements') }}
    where movement is not null
)
{%- if is_converted %},

-- The newest rate for all days: a change of rate is no movement of subscribers.
rates as (
    select * from {{ ref('int_amazon_appstore__exchange_rates') }}
    where date_day = (select max(date_day) from {{ ref('int_amazon_appstore__days') }})
)
{%- endif %}

select
    movements.date_day,
    movements.app_name,
    movements.asin,
    movements.vendor_sku,
    movements.subscription_name,
    movements.subscription_duration,
    {% if is_converted %}
    coalesce(rates.reporting_currency, movements.currency) as currency,
    movements.mrr_change * coalesce(rates.rate, 1) as mrr_change,
    {% else %}
    movements.currency,
    movements.mrr_change,
    {% endif %}
    movements.movement,
    movements.subscribers_change
from movements
{% if is_converted %}
left join rates
    on movements.currency = rates.currency
{% endif %}
