-- Accounts without any MRR although they have more paid subscription charges of a documented term than
-- lines that give money back.
with lines as (
    select
        source_relation,
        transaction_type,
        is_adjustment,
        sales_price,
        {{ normalize_item_type('item_type') }} as item_type,
        {{ normalize_term('subscription_duration') }} as subscription_duration,
        lower(coalesce(subscription_status, '')) like '%trial%' as is_trial
    from {{ ref('stg_amazon_appstore__sales') }}
),

terms as (
    {{ select_terms() }}
),

standing as (
    select
        lines.source_relation,
        sum(
            case
                when lines.transaction_type <> 'charge' then -1
                when lines.sales_price > 0 and not lines.is_trial then 1
                else 0
            end
        ) as charges
    from lines
    inner join terms
        on lines.subscription_duration = terms.subscription_duration
    where lines.item_type = 'Subscription' and not lines.is_adjustment
    group by lines.source_relation
),

mrr as (
    select
        source_relation,
        max(mrr) as greatest_mrr
    from {{ ref('amazon_appstore__mrr') }}
    group by source_relation
)

select
    standing.source_relation,
    standing.charges
from standing
left join mrr
    on standing.source_relation = mrr.source_relation
where standing.charges > 0 and coalesce(mrr.greatest_mrr, 0) <= 0
