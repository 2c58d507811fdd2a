{{ config(severity='warn', enabled=var('amazon_appstore_exchange_rates') != '') }}

-- Currencies whose amounts could not be converted: they are still in the marts, in separate rows.
{% set marts = ['overview_report', 'mrr'] %}

{% for mart in marts %}
select
    '{{ mart }}' as mart,
    source_relation,
    date_month,
    currency
from {{ ref('amazon_appstore__' ~ mart) }}
where currency <> '{{ var("amazon_appstore_reporting_currency") }}'
group by
    source_relation,
    date_month,
    currency
{% if not loop.last %}

union all

{% endif %}
{% endfor %}
