{#- Units and net sales by month, app, currency and a key, such as the country. What is not among an
    app's first comes together under a key of nulls; '' stands for what the report does not tell. -#}
{% set key = query.key | join(', ') %}
with sales as (
    select
        date_month as month,
        app_name as app,
        currency,
{% for column in query.key %}
        coalesce({{ column }}, '') as {{ column }},
{% endfor %}
{% if query.label %}
        {{ query.label }},
{% endif %}
        downloads,
        downloads + in_app_units + subscription_units + other_units as units,
        net_sales
    from {{ query.mart }}
),

by_units as (
    select
        app,
        {{ key }},
        row_number() over (partition by app order by sum(units) desc, {{ key }}) as place
    from sales
    group by app, {{ key }}
),

by_sales as (
    select
        app,
        {{ key }},
        row_number() over (partition by app, currency order by sum(net_sales) desc, {{ key }})
            as place
    from sales
    group by app, currency, {{ key }}
),

kept as (
    select
        app,
{% if query.label %}
        max({{ query.label }}) as {{ query.label }},
{% endif %}
        {{ key }}
    from sales
    where (app, {{ key }}) in (
        select app, {{ key }} from by_units where place <= {{ kept }}
        union
        select app, {{ key }} from by_sales where place <= {{ kept }}
    )
    group by app, {{ key }}
)

{% set names = query.key + ((query.label,) if query.label else ()) %}
select
    sales.month,
    sales.app,
    sales.currency,
{% for column in names %}
    kept.{{ column }},
{% endfor %}
{% for count in query.counts %}
    cast(sum(sales.{{ count }}) as bigint) as {{ count }},
{% endfor %}
    round(sum(sales.net_sales), 6) as net_sales
from sales
left join kept
    on sales.app = kept.app
{% for column in query.key %}
    and sales.{{ column }} = kept.{{ column }}
{% endfor %}
group by
    sales.month,
    sales.app,
    sales.currency,
    kept.{{ names | join(', kept.') }}
order by
    sales.month,
    sales.app,
    sales.currency,
    kept.{{ names | join(', kept.') }}
