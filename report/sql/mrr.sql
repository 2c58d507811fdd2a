-- MRR as it stands at the end of each month, or on the last day known, and what moved it.
with last_days as (
    select
        date_month,
        max(date_day) as date_day
    from {{ query.mart }}
    group by date_month
),

series as (
    select
        mrr.*,
        case when mrr.date_day = last_days.date_day then 1 else 0 end as is_last
    from {{ query.mart }} as mrr
    inner join last_days
        on mrr.date_month = last_days.date_month
),

figures as (
    select
        date_month as month,
        app_name as app,
        currency,
{% for flow in query.flows %}
        sum({{ flow }}_mrr) as {{ flow }},
{% endfor %}
{% for level in query.levels %}
        sum({{ level }} * is_last) as {{ level }}
        {%- if not loop.last %},{% endif %}

{% endfor %}
    from series
    group by
        date_month,
        app_name,
        currency
)

select
    month,
    app,
    currency,
{% for count in query.counts %}
    cast({{ count }} as bigint) as {{ count }},
{% endfor %}
{% for amount in query.amounts %}
    round({{ amount }}, 6) as {{ amount }}
    {%- if not loop.last %},{% endif %}

{% endfor %}
from figures
order by
    month,
    app,
    currency
