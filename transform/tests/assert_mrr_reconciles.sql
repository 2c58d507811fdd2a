{{ config(enabled=project_name == 'amazon_appstore') }}

-- From one day of a series to the next, MRR changes by its movements and by nothing else. Converted
-- amounts are rounded one by one, so they may differ by the sum of these roundings.
{% set movements = ['new', 'expansion', 'reactivated', 'contraction', 'churned'] %}

with compared as (
    select
        *,
        coalesce(
            lag(mrr) over (
                partition by source_relation, app_name, asin, vendor_sku, currency
                order by date_day
            ), 0
        ) as previous_mrr
    from {{ ref('amazon_appstore__mrr') }}
)

select *
from compared
where
    abs(
        mrr - previous_mrr - (
            new_mrr + expansion_mrr + reactivated_mrr - contraction_mrr - churned_mrr
            + plan_change_mrr
        )
    ) > {{ 0.001 if var('amazon_appstore_exchange_rates') else 0 }}
    or mrr < 0
    or subscribers < 0
    or subscriptions < 0
    {% for movement in movements %}
    or {{ movement }}_mrr < 0
    {% endfor %}
