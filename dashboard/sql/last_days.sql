-- Accounts, and the days up to which their figures are known and final.
select
    source_relation as name,
    first_day,
    last_day,
    last_final_day,
    last_final_mrr_day,
    last_subscription_day,
    last_final_subscription_day,
    reporting_currency,
    last_rate_day
from {{ mart }}
order by 1
