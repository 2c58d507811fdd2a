-- Subscriptions active at the end of each month, or on the last day reported, and what the month
-- brought. Its churn is measured by what was active on the day before it.
with report as (
    select * from {{ query.mart }}
),

last_days as (
    select
        date_month,
        max(date_day) as date_day
    from report
    where active is not null
    group by date_month
),

figures as (
    select
        report.date_month as month,
        report.app_name as app,
{% for level in query.levels %}
        case when report.date_day = last_days.date_day then report.{{ level }} end as {{ level }},
{% endfor %}
{% for flow in query.flows %}
        report.{{ flow }},
{% endfor %}
        null as paid_active_before
    from report
    left join last_days
        on report.date_month = last_days.date_month

    union all

    select
        date_day + 1 as month,
        app_name as app,
{% for measure in query.levels + query.flows %}
        null as {{ measure }},
{% endfor %}
        paid_active as paid_active_before
    from report
    where
        extract(day from date_day + 1) = 1
        and date_day < (select max(date_day) from last_days)
)

select
    month,
    app,
{% for measure in query.counts %}
    cast(coalesce(sum({{ measure }}), 0) as bigint) as {{ measure }}
    {%- if not loop.last %},{% endif %}

{% endfor %}
from figures
group by
    month,
    app
order by
    month,
    app
