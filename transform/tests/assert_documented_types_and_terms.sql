{{ config(severity='warn') }}

-- Charges that the marts cannot place: items of an undocumented type are in `other_units` and
-- `other_net_sales` alone, subscriptions of an undocumented term have no MRR.
{% set item_types = ['Application', 'In-App', 'In-Game', 'Game', 'Extension', 'Subscription'] %}

with charges as (
    select
        source_relation,
        date_month,
        item_type,
        subscription_duration,
        sales_price
    from {{ ref('int_amazon_appstore__sales_lines') }}
    where transaction_type = 'charge' and not is_adjustment
),

terms as (
    {{ select_terms() }}
)

select
    source_relation,
    date_month,
    'item type' as what,
    item_type as found,
    count(*) as report_lines
from charges
where item_type is null or item_type not in ('{{ item_types | join("', '") }}')
group by
    source_relation,
    date_month,
    item_type

union all

select
    charges.source_relation,
    charges.date_month,
    'subscription term' as what,
    charges.subscription_duration as found,
    count(*) as report_lines
from charges
left join terms
    on charges.subscription_duration = terms.subscription_duration
where
    charges.item_type = 'Subscription'
    and charges.sales_price > 0
    and terms.subscription_duration is null
group by
    charges.source_relation,
    charges.date_month,
    charges.subscription_duration
