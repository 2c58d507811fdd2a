-- Trials by the month in which they started, and how many of them became paid.
select
    date_month as month,
    source_relation as account,
    app_name as app,
    sum(trials) as trials,
    sum(trial_conversions) as trial_conversions,
    sum(trials_undecided) as trials_undecided
from {{ mart }}
group by 1, 2, 3
order by 1, 2, 3
