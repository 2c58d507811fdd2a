{{ config(materialized='table') }}

{#- What identifies the charge that a line belongs to, from the narrowest to the widest: the end of a
    receipt is its type, which may differ from the charge's. -#}
{% set identifiers = ['transaction_id', 'digital_order_id', 'receipt_id', 'receipt'] %}
{#- Lines in the order in which they happened, a charge before what was given back of it. -#}
{% set in_order = 'date_day, happened_at, line_order, line_id' %}

with sales as (
    -- No column more: the lines are kept for what follows, and their fingerprint takes time.
    select
        source_relation,
        line_id,
        date_month,
        date_day,
        transaction_at,
        transaction_type,
        is_adjustment,
        app_name,
        asin,
        vendor_sku,
        item_name,
        subscription_duration,
        currency,
        sales_price,
        estimated_earnings,
        app_user_id,
        receipt_id,
        transaction_id,
        digital_order_id,
        {{ dbt.split_part('receipt_id', "':'", 1) }} as receipt,
        coalesce(
            transaction_type in ('refund', 'chargeback', 'chargeback reversal'), false
        ) as is_return,
        coalesce(
            transaction_type = 'charge'
            and not is_adjustment
            and lower(subscription_status) like '%trial%',
            false
        ) as is_trial
    from {{ ref('int_amazon_appstore__sales_lines') }}
    where item_type = 'Subscription'
),

-- A line with a receipt alone is of the user who has that receipt on another line.
identified as (
    select
        *,
        coalesce(
            app_user_id,
            max(app_user_id) over (
                partition by source_relation, coalesce(receipt, 'line:' || line_id)
            ),
            receipt
        ) as person,
        coalesce(
            transaction_type = 'charge' and not is_adjustment and not is_trial and sales_price > 0,
            false
        ) as is_paid,
        is_return or is_adjustment as is_follow_up,
        coalesce(
            transaction_at,
            cast(
                case
                    when is_return or is_adjustment then {{ dbt.dateadd('day', 1, 'date_day') }}
                    else date_day
                end as {{ dbt.type_timestamp() }}
            )
        ) as happened_at,
        case when is_return or is_adjustment then 1 else 0 end as line_order
    from sales
),

{% for identifier in identifiers %}
-- Charges and follow-ups that share {{ identifier }}: each follow-up is of the latest charge on or before
-- it; a second one of its kind is of the charge before that.
{{ identifier }}_follow_ups as (
    select distinct
        source_relation,
        {{ identifier }}
    from identified
    where is_follow_up and {{ identifier }} is not null
),

{{ identifier }}_counted as (
    select
        identified.source_relation,
        identified.line_id,
        identified.{{ identifier }},
        identified.asin,
        identified.person,
        identified.is_paid,
        identified.is_follow_up,
        -- Follow-ups that are counted together: a reversal takes a chargeback back.
        case
            when identified.is_adjustment then 'adjustment'
            when identified.transaction_type = 'chargeback reversal' then 'chargeback'
            else identified.transaction_type
        end as kind,
        case when identified.transaction_type = 'chargeback reversal' then -1 else 1 end as kind_sign,
        identified.date_day,
        identified.happened_at,
        identified.line_order,
        sum(case when identified.is_paid then 1 else 0 end) over (
            partition by
                identified.source_relation, identified.{{ identifier }}, identified.asin
            order by
                identified.date_day,
                identified.happened_at,
                identified.line_order,
                identified.line_id
            rows between unbounded preceding and current row
        ) as charges
    from identified
    inner join {{ identifier }}_follow_ups as follow_ups
        on identified.source_relation = follow_ups.source_relation
        and identified.{{ identifier }} = follow_ups.{{ identifier }}
    where identified.is_paid or identified.is_follow_up
),

{{ identifier }}_numbered as (
    select
        *,
        sum(kind_sign) over (
            partition by source_relation, {{ identifier }}, asin, charges, is_follow_up, kind
            order by {{ in_order }}
            rows between unbounded preceding and current row
        ) + case when kind_sign < 0 then 1 else 0 end as number_of_kind
    from {{ identifier }}_counted
    where charges > 0
),

{{ identifier }}_targeted as (
    select
        *,
        case
            when is_follow_up and number_of_kind between 1 and charges
                then charges - number_of_kind + 1
            else charges
        end as charge_number
    from {{ identifier }}_numbered
),

{{ identifier }}_matched as (
    select
        *,
        max(case when is_paid then line_id end) over (
            partition by source_relation, {{ identifier }}, asin, charge_number
        ) as charge_line_id,
        max(case when is_paid then person end) over (
            partition by source_relation, {{ identifier }}, asin, charge_number
        ) as charge_person
    from {{ identifier }}_targeted
),
{% endfor %}

candidates as (
    {% for identifier in identifiers %}
    select
        source_relation,
        line_id,
        {{ loop.index }} as priority,
        charge_line_id,
        charge_person
    from {{ identifier }}_matched
    where is_follow_up
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

ranked as (
    select
        *,
        row_number() over (partition by source_relation, line_id order by priority) as place
    from candidates
),

matches as (
    select * from ranked
    where place = 1
),

lines as (
    select
        identified.source_relation,
        identified.line_id,
        identified.date_month,
        identified.date_day,
        identified.happened_at,
        identified.line_order,
        identified.transaction_type,
        identified.is_adjustment,
        {{ dbt.hash(
            "coalesce(identified.person, matches.charge_person, identified.transaction_id, "
            ~ "identified.digital_order_id, identified.line_id)"
        ) }} as subscriber_id,
        identified.app_name,
        identified.asin,
        identified.vendor_sku,
        identified.item_name as subscription_name,
        identified.subscription_duration,
        identified.currency,
        identified.sales_price,
        identified.estimated_earnings,
        identified.is_trial,
        identified.is_paid,
        case
            when identified.is_paid then identified.line_id
            else matches.charge_line_id
        end as charge_line_id
    from identified
    left join matches
        on identified.source_relation = matches.source_relation
        and identified.line_id = matches.line_id
),

numbered as (
    select
        *,
        row_number() over (
            partition by source_relation, subscriber_id, app_name, currency
            order by case when is_paid then 0 else 1 end, {{ in_order }}
        ) as paid_number
    from lines
)

select
    source_relation,
    line_id,
    charge_line_id,
    date_month,
    date_day,
    happened_at,
    line_order,
    transaction_type,
    is_adjustment,
    subscriber_id,
    app_name,
    asin,
    vendor_sku,
    subscription_name,
    subscription_duration,
    currency,
    sales_price,
    estimated_earnings,
    is_trial,
    is_paid,
    min(case when is_paid then date_day end) over (
        partition by source_relation, subscriber_id, app_name, currency
    ) as first_paid_on,
    coalesce(
        charge_line_id = max(case when is_paid and paid_number = 1 then line_id end) over (
            partition by source_relation, subscriber_id, app_name, currency
        ),
        false
    ) as is_new
from numbered
