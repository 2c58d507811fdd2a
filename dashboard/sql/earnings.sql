-- Estimated against paid earnings, by month and currency.
select
    date_month as month,
    source_relation as account,
    currency,
    estimated_earnings,
    earnings,
    adjustments,
    tax_withheld,
    paid_earnings,
    difference,
    is_provisional
from {{ mart }}
order by 1, 2, 3
