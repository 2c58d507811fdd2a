{% set is_converted = var('amazon_appstore_exchange_rates') != '' %}

select
    revenue.source_relation,
    revenue.date_day,
    revenue.app_name,
    {{ reporting_currency('revenue', is_converted) }} as currency,
    revenue.cohort_month,
    {% for amount in ['net_sales', 'estimated_earnings', 'new_net_sales', 'new_earnings'] %}
    {{ in_reporting_currency('revenue.' ~ amount, is_converted) }} as {{ amount }},
    {% endfor %}
    revenue.new_subscribers
from {{ ref('int_amazon_appstore__subscriber_revenue') }} as revenue
{% if is_converted %}
left join {{ ref('int_amazon_appstore__exchange_rates') }} as rates
    on revenue.date_day = rates.date_day
    and revenue.currency = rates.currency
{% endif %}
