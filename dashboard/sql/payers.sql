-- Rates and paying users of a month, by app and currency.
select
    date_month as month,
    date_day as day,
    source_relation as account,
    app_name as app,
    currency,
    paying_users,
    arppu,
    refund_rate,
    chargeback_rate,
    mrr_previous_month,
    gross_mrr_churn_rate,
    net_mrr_churn_rate,
    is_provisional
from {{ mart }}
order by 1, 3, 4, 5
