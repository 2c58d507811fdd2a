{{ config(enabled=project_name == 'amazon_appstore') }}

-- Sales and earnings by kind add up to all.
{% set kinds = ['app', 'in_app', 'new_subscription', 'renewal', 'other'] %}
{% set tolerance = 0.001 if var('amazon_appstore_exchange_rates') else 0 %}

select *
from {{ ref('amazon_appstore__overview_report') }}
where
    abs(
        net_sales
        {%- for kind in kinds %} - {{ kind }}_net_sales{% endfor %}
    ) > {{ tolerance }}
    or abs(
        estimated_earnings
        {%- for kind in kinds %} - {{ kind }}_earnings{% endfor %}
    ) > {{ tolerance }}
