-- From one day of a series to the next, MRR changes by its movements, and by nothing else. Converted
-- amounts are rounded to six decimals one by one, which is what they may differ by.
with compared as (
    select
        *,
        coalesce(
            lag(mrr) over (
                partition by app_name, asin, vendor_sku, currency order by date_day
            ), 0
        ) as previous_mrr
    from {{ ref('amazon_appstore__mrr') }}
)

select *
from compared
where
    abs(
        mrr - previous_mrr
        - (new_mrr + expansion_mrr + reactivated_mrr - contraction_mrr - churned_mrr)
    ) > {{ 0.00001 if var('amazon_appstore_exchange_rates') else 0 }}
    or mrr < 0
    or new_mrr < 0
    or expansion_mrr < 0
    or reactivated_mrr < 0
    or contraction_mrr < 0
    or churned_mrr < 0
