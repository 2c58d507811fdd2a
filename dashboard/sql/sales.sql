-- Units and amounts by day, app and currency, and amounts by what was sold.
{% from "macros.sql" import comma, day, sales_sums with context %}
{% set kinds = ['app', 'in_app', 'new_subscription', 'renewal', 'other'] %}
select
    {{ day() }} as day,
    source_relation as account,
    app_name as app,
    currency,
{% for kind in kinds %}
    sum({{ kind }}_net_sales) as {{ kind }}_net_sales,
    sum({{ kind }}_earnings) as {{ kind }}_earnings,
{% endfor %}
{{ sales_sums() -}}
from {{ mart }}
group by 1, 2, 3, 4
order by 1, 2, 3, 4
