{#- A yearly plan sold thirteen months before a change may, renewed late, still be in force in it. -#}
{{ config(
    materialized='incremental',
    partition_by='date_month' if target.type == 'spark' else none,
    pre_hook="{{ amazon_appstore.forget_from_first_changed_month(
        ref('int_amazon_appstore__sales_months'), months_earlier=13
    ) }}"
) }}

with lines as (
    select * from {{ ref('int_amazon_appstore__subscription_lines') }}
    {% if is_incremental() %}
    where date_day > {{ last_day_kept() }}
    {% endif %}
),

-- How long a term lasts, in days or calendar months, and how many of them make a year.
terms as (
    select
        'weekly' as term,
        7 as days,
        cast(null as {{ dbt.type_int() }}) as months,
        52 as terms_a_year
    union all select 'biweekly', 14, null, 26
    union all select 'monthly', null, 1, 12
    union all select 'bimonthly', null, 2, 6
    union all select 'quarterly', null, 3, 4
    union all select 'semiannually', null, 6, 2
    union all select 'annually', null, 12, 1
),

charges as (
    select
        lines.*,
        cast(lines.sales_price * terms.terms_a_year / 12 as {{ dbt.type_numeric() }})
            as monthly_price,
        cast(
            case
                when terms.months is null
                    then {{ dbt.dateadd('day', 'terms.days', 'lines.date_day') }}
                else {{ dbt.dateadd('month', 'terms.months', 'lines.date_day') }}
            end as date
        ) as term_ends_on,
        lead(lines.date_day) over (
            partition by
                lines.subscriber_id,
                lines.app_name,
                lines.asin,
                lines.vendor_sku,
                lines.currency
            order by
                lines.date_day,
                coalesce(lines.transaction_at, cast(lines.date_day as timestamp)),
                lines.line_id
        ) as renewed_on
    from lines
    inner join terms
        on lower(replace(replace(lines.subscription_duration, '-', ''), ' ', ''))
        = terms.term
    where lines.is_paid
),

-- A renewal ends the period before it, whether it comes a little early or a little late.
periods as (
    select
        *,
        case
            when renewed_on <= {{ dbt.dateadd(
                'day', var('amazon_appstore_renewal_grace_days'), 'term_ends_on'
            ) }} then renewed_on
            else term_ends_on
        end as period_ends_on
    from charges
),

-- Which identifier a refund shares with its charge is not documented: any will do.
stops as (
    {% for identifier in ['transaction_id', 'digital_order_id', 'receipt_id'] %}
    select
        periods.line_id,
        lines.line_id as stop_line_id,
        lines.date_day,
        lines.transaction_type
    from lines
    inner join periods
        on lines.{{ identifier }} = periods.{{ identifier }}
        and coalesce(lines.asin, '') = coalesce(periods.asin, '')
        and lines.date_day >= periods.date_day
    where lines.transaction_type in ('refund', 'chargeback', 'chargeback reversal')
    {% if not loop.last %}union{% endif %}
    {% endfor %}
),

stop_days as (
    select
        line_id,
        date_day,
        sum(case when transaction_type = 'refund' then 1 else 0 end) as refunds,
        sum(
            case transaction_type
                when 'chargeback' then 1
                when 'chargeback reversal' then -1
                else 0
            end
        ) as chargebacks
    from stops
    group by
        line_id,
        date_day
),

-- A reversal gives back what a chargeback took, never what was refunded.
turns as (
    select
        line_id,
        date_day,
        sum(refunds) over (partition by line_id order by date_day) > 0
        or sum(chargebacks) over (partition by line_id order by date_day) > 0 as is_stopped,
        lead(date_day) over (partition by line_id order by date_day) as next_turn_on
    from stop_days
),

first_turns as (
    select
        line_id,
        min(date_day) as date_day
    from turns
    group by line_id
),

first_spans as (
    select
        periods.line_id,
        periods.monthly_price,
        periods.date_day as starts_on,
        least(periods.period_ends_on, first_turns.date_day) as ends_on
    from periods
    left join first_turns
        on periods.line_id = first_turns.line_id
),

restored_spans as (
    select
        periods.line_id,
        periods.monthly_price,
        turns.date_day as starts_on,
        least(periods.period_ends_on, turns.next_turn_on) as ends_on
    from turns
    inner join periods
        on turns.line_id = periods.line_id
    where not turns.is_stopped
)

{% for spans in ['first_spans', 'restored_spans'] %}
{%- set is_first = loop.first %}
select
    lines.line_id,
    lines.date_month,
    lines.date_day,
    lines.transaction_type,
    lines.subscriber_id,
    lines.app_name,
    lines.asin,
    lines.vendor_sku,
    lines.subscription_name,
    lines.subscription_duration,
    lines.currency,
    lines.is_trial,
    lines.is_paid,
    {{ spans }}.monthly_price,
    {{ spans }}.starts_on,
    {{ spans }}.ends_on,
    {{ 'lines.report_lines' if is_first else 0 }} as report_lines,
    {{ 'lines.report_fingerprint' if is_first else 0 }} as report_fingerprint
from lines
{{ 'left' if is_first else 'inner' }} join {{ spans }}
    on lines.line_id = {{ spans }}.line_id
    and {{ spans }}.starts_on < {{ spans }}.ends_on
{% if is_first %}
union all
{% endif %}
{% endfor %}
