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
)

select
    date_month as month,
    app_name as app,
    currency,
    cast(sum(subscribers * is_last) as bigint) as subscribers,
    round(sum(mrr * is_last), 6) as mrr,
{% for movement in query.amounts[1:] %}
    round(sum({{ movement }}_mrr), 6) as {{ movement }}
    {%- if not loop.last %},{% endif %}

{% endfor %}
from series
group by
    date_month,
    app_name,
    currency
order by
    date_month,
    app_name,
    currency
