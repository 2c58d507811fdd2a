-- Subscribers by the month of their first charge: how many still pay, and their revenue to date.
select
    cohort_month as month,
    months_since,
    source_relation as account,
    app_name as app,
    currency,
    subscribers,
    active_subscribers,
    net_sales_to_date,
    earnings_to_date,
    is_provisional
from {{ mart }}
where cohort_month >= date '{{ cohorts_from }}'
order by 1, 2, 3, 4, 5
