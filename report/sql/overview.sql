-- Downloads, units and amounts by month, app and currency.
select
    date_month as month,
    app_name as app,
    currency,
{% for count in query.counts %}
    cast(sum({{ count }}) as bigint) as {{ count }},
{% endfor %}
{% for amount in query.amounts %}
    round(sum({{ amount }}), 6) as {{ amount }}
    {%- if not loop.last %},{% endif %}

{% endfor %}
from {{ query.mart }}
group by
    date_month,
    app_name,
    currency
order by
    date_month,
    app_name,
    currency
