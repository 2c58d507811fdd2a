{% set is_converted = var('amazon_appstore_exchange_rates') != '' %}

with movements as (
    select
        source_relation,
        date_day,
        app_name,
        asin,
        vendor_sku,
        subscription_name,
        subscription_duration,
        currency,
        mrr_change,
        earnings_mrr_change,
        movement,
        movement_mrr,
        plan_change_mrr,
        subscriptions_change,
        0 as subscribers_change
    from {{ ref('int_amazon_appstore__mrr_movements') }}

    union all

    select
        source_relation,
        date_day,
        app_name,
        asin,
        vendor_sku,
        {{ null_of('text') }} as subscription_name,
        {{ null_of('text') }} as subscription_duration,
        currency,
        0 as mrr_change,
        0 as earnings_mrr_change,
        {{ null_of('text') }} as movement,
        0 as movement_mrr,
        0 as plan_change_mrr,
        0 as subscriptions_change,
        subscribers_change
    from {{ ref('int_amazon_appstore__subscriber_changes') }}
)
{%- if is_converted %},

-- The newest rate for all days: a change of rate is no movement of subscribers.
rates as (
    select * from {{ ref('int_amazon_appstore__exchange_rates') }}
    where date_day = (select max(date_day) from {{ ref('int_amazon_appstore__days') }})
)
{%- endif %}

select
    movements.source_relation,
    movements.date_day,
    movements.app_name,
    movements.asin,
    movements.vendor_sku,
    movements.subscription_name,
    movements.subscription_duration,
    {{ reporting_currency('movements', is_converted) }} as currency,
    {% for amount in ['mrr_change', 'earnings_mrr_change', 'movement_mrr', 'plan_change_mrr'] %}
    {{ in_reporting_currency('movements.' ~ amount, is_converted) }} as {{ amount }},
    {% endfor %}
    movements.movement,
    movements.subscriptions_change,
    movements.subscribers_change
from movements
{% if is_converted %}
left join rates
    on movements.currency = rates.currency
{% endif %}
