{{ config(materialized='table') }}

{% set grace_days = var('amazon_appstore_renewal_grace_days') | int %}
{% set scope = var('amazon_appstore_trial_conversion_scope') %}
{% if scope not in ('app', 'plan') %}
    {{ exceptions.raise_compiler_error(
        "The variable amazon_appstore_trial_conversion_scope is '" ~ scope ~ "'; set it to 'app' or 'plan'."
    ) }}
{% endif %}
{#- Whose first paid charge a trial waits for. -#}
{% set of_scope = 'source_relation, subscriber_id, app_name'
    ~ (', asin, vendor_sku' if scope == 'plan' else '') %}

with lines as (
    select * from {{ ref('int_amazon_appstore__subscription_lines') }}
),

terms as (
    {{ select_terms() }}
),

returned as (
    select
        source_relation,
        charge_line_id,
        min(date_day) as returned_on
    from lines
    where
        charge_line_id is not null
        and not is_adjustment
        and transaction_type in ('refund', 'chargeback')
    group by
        source_relation,
        charge_line_id
),

-- Trials, and charges that were not given back on the same day.
events as (
    select lines.*
    from lines
    left join returned
        on lines.source_relation = returned.source_relation
        and lines.line_id = returned.charge_line_id
    where
        lines.is_trial
        or (
            lines.is_paid
            and (returned.returned_on is null or returned.returned_on <> lines.date_day)
        )
),

numbered as (
    select
        *,
        coalesce(asin, '') || '/' || coalesce(vendor_sku, '') as plan,
        row_number() over (
            partition by {{ of_scope }}, is_paid order by date_day, happened_at, line_id
        ) as paid_number
    from events
),

-- The first paid charge, which decides about the trials before it.
charged as (
    select
        *,
        min(case when is_paid then date_day end) over (partition by {{ of_scope }}) as paid_on,
        max(case when is_paid and paid_number = 1 then plan end) over (partition by {{ of_scope }})
            as paid_plan
    from numbered
),

trials as (
    select
        charged.*,
        cast(
            {{ dbt.dateadd(
                'day',
                grace_days,
                'case when terms.term_days is not null then '
                ~ dbt.dateadd('day', 'coalesce(terms.term_days, 0)', 'charged.date_day')
                ~ ' else '
                ~ dbt.dateadd('month', 'coalesce(terms.term_months, 1)', 'charged.date_day')
                ~ ' end'
            ) }} as date
        ) as decided_by
    from charged
    left join terms
        on charged.subscription_duration = terms.subscription_duration
    where charged.is_trial
),

candidates as (
    select
        *,
        coalesce(paid_on between date_day and decided_by, false) as may_convert
    from trials
),

-- One trial converts by it: the latest of the plan that was bought, else the latest.
ranked as (
    select
        *,
        row_number() over (
            partition by {{ of_scope }}, may_convert
            order by
                case when plan = paid_plan then 0 else 1 end,
                date_day desc,
                happened_at desc,
                line_id desc
        ) as place
    from candidates
),

last_days as (
    select
        source_relation,
        last_final_day
    from {{ ref('int_amazon_appstore__last_days') }}
)

select
    ranked.source_relation,
    ranked.line_id,
    ranked.date_day,
    ranked.app_name,
    ranked.asin,
    ranked.vendor_sku,
    ranked.subscription_name,
    ranked.subscription_duration,
    ranked.decided_by,
    case when ranked.may_convert and ranked.place = 1 then ranked.paid_on end as converted_on,
    ranked.paid_on is null and ranked.decided_by >= last_days.last_final_day as is_undecided
from ranked
inner join last_days
    on ranked.source_relation = last_days.source_relation
