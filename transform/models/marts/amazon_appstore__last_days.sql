{% set is_converted = var('amazon_appstore_exchange_rates') != '' %}

select
    last_days.*,
    {% if is_converted %}
    cast('{{ var("amazon_appstore_reporting_currency") }}' as {{ type_name('text') }})
        as reporting_currency,
    rates.last_rate_day
    {% else %}
    {{ null_of('text') }} as reporting_currency,
    {{ null_of('date') }} as last_rate_day
    {% endif %}
from {{ ref('int_amazon_appstore__last_days') }} as last_days
{% if is_converted %}
cross join (
    select max(rate_day) as last_rate_day from {{ ref('int_amazon_appstore__exchange_rates') }}
) as rates
{% endif %}
