{{ config(materialized='table') }}

{% set grace_days = var('amazon_appstore_renewal_grace_days') | int %}
{% set in_order = 'date_day, happened_at, line_order, line_id' %}
{% set of_plan %}
source_relation, subscriber_id, app_name, asin, vendor_sku, currency
{%- endset %}

with lines as (
    select * from {{ ref('int_amazon_appstore__subscription_lines') }}
),

terms as (
    {{ select_terms() }}
),

-- Refunds, chargebacks and their reversals that belong to a charge. Adjustments end nothing.
returns as (
    select
        source_relation,
        charge_line_id,
        line_id,
        date_day,
        happened_at,
        line_order,
        case when transaction_type = 'refund' then 1 else 0 end as refunds,
        case transaction_type
            when 'chargeback' then 1
            when 'chargeback reversal' then -1
            else 0
        end as chargebacks
    from lines
    where
        charge_line_id is not null
        and not is_adjustment
        and transaction_type in ('refund', 'chargeback', 'chargeback reversal')
),

returned as (
    select
        source_relation,
        charge_line_id,
        sum(refunds) > 0 or sum(chargebacks) > 0 as is_returned
    from returns
    group by
        source_relation,
        charge_line_id
),

charges as (
    select
        lines.source_relation,
        lines.line_id,
        lines.date_day,
        lines.happened_at,
        lines.line_order,
        lines.subscriber_id,
        lines.app_name,
        lines.asin,
        lines.vendor_sku,
        lines.subscription_name,
        lines.subscription_duration,
        lines.currency,
        lines.first_paid_on,
        terms.term_days,
        terms.term_months,
        cast(lines.sales_price * terms.terms_a_year / 12 as {{ dbt.type_numeric() }})
            as monthly_price,
        cast(lines.estimated_earnings * terms.terms_a_year / 12 as {{ dbt.type_numeric() }})
            as monthly_earnings,
        returned.charge_line_id is not null as has_returns,
        coalesce(returned.is_returned, false) as is_returned,
        -- A plan of the 31st is charged on the last day of a shorter month, and on the 31st again.
        max(extract(day from lines.date_day)) over (
            partition by
                lines.source_relation,
                lines.subscriber_id,
                lines.app_name,
                lines.asin,
                lines.vendor_sku,
                lines.currency
            order by lines.date_day, lines.happened_at, lines.line_order, lines.line_id
            rows between unbounded preceding and current row
        ) as day_of_plan
    from lines
    inner join terms
        on lines.subscription_duration = terms.subscription_duration
    left join returned
        on lines.source_relation = returned.source_relation
        and lines.line_id = returned.charge_line_id
    where lines.is_paid
),

ending as (
    select
        *,
        cast(
            case
                when term_months is null then {{ dbt.dateadd('day', 'term_days', 'date_day') }}
                else {{ dbt.dateadd('month', 'term_months', 'date_day') }}
            end as date
        ) as term_ends_on,
        case
            when term_months is not null and date_day = {{ dbt.last_day('date_day', 'month') }}
                then cast(
                    {{ dbt.dateadd('month', 'term_months', dbt.date_trunc('month', 'date_day')) }}
                    as date
                )
        end as month_of_plan_day
    from charges
),

planned as (
    select
        *,
        cast({{ dbt.dateadd('day', 'day_of_plan - 1', 'month_of_plan_day') }} as date) as plan_day,
        {{ dbt.last_day('month_of_plan_day', 'month') }} as plan_month_end
    from ending
),

due as (
    select
        *,
        case
            when month_of_plan_day is null then term_ends_on
            when plan_day < plan_month_end then plan_day
            else plan_month_end
        end as due_on
    from planned
),

previous as (
    select
        *,
        max(case when not is_returned then due_on end) over (
            partition by {{ of_plan }}
            order by {{ in_order }}
            rows between unbounded preceding and 1 preceding
        ) as kept_until
    from due
),

-- A plan bought again by mistake, long before it is due, and given back leaves the first purchase.
purchases as (
    select *
    from previous
    where not (
        is_returned
        and kept_until is not null
        and date_day < {{ dbt.dateadd('day', -grace_days, 'kept_until') }}
    )
),

renewals as (
    select
        *,
        cast({{ dbt.dateadd('day', grace_days, 'due_on') }} as date) as grace_ends_on,
        lead(date_day) over (partition by {{ of_plan }} order by {{ in_order }}) as next_charge_on,
        lag(due_on) over (partition by {{ of_plan }} order by {{ in_order }}) as previous_due_on
    from purchases
),

followed as (
    select
        *,
        case when next_charge_on <= grace_ends_on then next_charge_on end as renewed_on,
        case
            when
                previous_due_on is null
                or date_day > {{ dbt.dateadd('day', grace_days, 'previous_due_on') }}
                then date_day
        end as begins_on
    from renewals
),

-- A deferred switch: another plan of the app begins when this one is due.
turns as (
    select
        source_relation,
        subscriber_id,
        app_name,
        line_id,
        due_on as turn_on,
        0 as turn_order,
        {{ null_of('date') }} as begins_on
    from followed
    where renewed_on is null

    union all

    select
        source_relation,
        subscriber_id,
        app_name,
        line_id,
        begins_on as turn_on,
        1 as turn_order,
        begins_on
    from followed
    where begins_on is not null
),

successors as (
    select
        source_relation,
        line_id,
        turn_order,
        min(begins_on) over (
            partition by source_relation, subscriber_id, app_name
            order by turn_on, turn_order, line_id
            rows between current row and unbounded following
        ) as successor_on
    from turns
),

last_days as (
    select
        source_relation,
        last_final_day
    from {{ ref('int_amazon_appstore__last_days') }}
),

-- Without a renewal, a period ends once its grace is over and the days of it are final; null until then.
periods as (
    select
        followed.*,
        case
            when followed.renewed_on is not null then followed.renewed_on
            when successors.successor_on <= followed.grace_ends_on then successors.successor_on
            when followed.grace_ends_on < last_days.last_final_day then followed.due_on
        end as period_ends_on
    from followed
    inner join last_days
        on followed.source_relation = last_days.source_relation
    left join successors
        on followed.source_relation = successors.source_relation
        and followed.line_id = successors.line_id
        and successors.turn_order = 0
),

-- What happened to a charge: itself, and what was given back of it and taken back.
events as (
    select
        source_relation,
        line_id as charge_line_id,
        line_id,
        date_day,
        happened_at,
        line_order,
        0 as refunds,
        0 as chargebacks
    from periods
    where has_returns

    union all

    select
        source_relation,
        charge_line_id,
        line_id,
        date_day,
        happened_at,
        line_order,
        refunds,
        chargebacks
    from returns
),

states as (
    select
        source_relation,
        charge_line_id,
        line_id,
        date_day,
        lead(date_day) over (
            partition by source_relation, charge_line_id order by {{ in_order }}
        ) as next_event_on,
        sum(refunds) over (
            partition by source_relation, charge_line_id
            order by {{ in_order }}
            rows between unbounded preceding and current row
        ) as refunds,
        sum(chargebacks) over (
            partition by source_relation, charge_line_id
            order by {{ in_order }}
            rows between unbounded preceding and current row
        ) as chargebacks
    from events
),

-- A reversal restores what a chargeback took, never what was refunded.
spans as (
    select
        periods.source_relation,
        periods.line_id,
        periods.line_id as charge_line_id,
        periods.date_day as starts_on,
        periods.period_ends_on as ends_on
    from periods
    where not periods.has_returns

    union all

    select
        periods.source_relation,
        states.line_id,
        periods.line_id as charge_line_id,
        states.date_day as starts_on,
        case
            when states.next_event_on is null then periods.period_ends_on
            when periods.period_ends_on < states.next_event_on then periods.period_ends_on
            else states.next_event_on
        end as ends_on
    from states
    inner join periods
        on states.source_relation = periods.source_relation
        and states.charge_line_id = periods.line_id
    where states.refunds <= 0 and states.chargebacks <= 0
)

select
    spans.source_relation,
    spans.line_id,
    spans.charge_line_id,
    periods.subscriber_id,
    periods.app_name,
    periods.asin,
    periods.vendor_sku,
    periods.subscription_name,
    periods.subscription_duration,
    periods.currency,
    periods.first_paid_on,
    periods.monthly_price,
    periods.monthly_earnings,
    spans.starts_on,
    spans.ends_on,
    periods.due_on
from spans
inner join periods
    on spans.source_relation = periods.source_relation
    and spans.charge_line_id = periods.line_id
where spans.starts_on < spans.ends_on or spans.ends_on is null
