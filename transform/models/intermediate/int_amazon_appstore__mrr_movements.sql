{#- A renewal a little late takes back a loss that may lie in the month before. -#}
{{ config(
    materialized='incremental',
    partition_by='date_month' if target.type == 'spark' else none,
    pre_hook="{{ amazon_appstore.forget_from_first_changed_month(
        ref('int_amazon_appstore__sales_months'), months_earlier=1
    ) }}"
) }}

with periods as (
    select * from {{ ref('int_amazon_appstore__subscription_periods') }}
),

{% set columns %}
        subscriber_id,
        app_name,
        asin,
        vendor_sku,
        subscription_name,
        subscription_duration,
        currency
{%- endset %}

-- Every line counts on its day, whether it begins a period or not: the increment counts lines.
events as (
    select
        date_day,
        {{ columns | trim }},
        0 as mrr_change,
        0 as subscribers_change,
        report_lines,
        report_fingerprint
    from periods

    union all

    select
        starts_on as date_day,
        {{ columns | trim }},
        monthly_price as mrr_change,
        1 as subscribers_change,
        0 as report_lines,
        0 as report_fingerprint
    from periods
    where starts_on is not null

    union all

    select
        ends_on as date_day,
        {{ columns | trim }},
        -monthly_price as mrr_change,
        -1 as subscribers_change,
        0 as report_lines,
        0 as report_fingerprint
    from periods
    where ends_on is not null
),

changes as (
    select
        {{ month_of('date_day') }} as date_month,
        date_day,
        subscriber_id,
        app_name,
        asin,
        vendor_sku,
        max(subscription_name) as subscription_name,
        max(subscription_duration) as subscription_duration,
        currency,
        cast(sum(mrr_change) as {{ dbt.type_numeric() }}) as mrr_change,
        cast(sum(subscribers_change) as {{ dbt.type_bigint() }}) as subscribers_change,
        cast(sum(report_lines) as {{ dbt.type_bigint() }}) as report_lines,
        cast(sum(report_fingerprint) as {{ dbt.type_bigint() }}) as report_fingerprint
    from events
    {% if is_incremental() %}
    where date_day > {{ last_day_kept() }}
    {% endif %}
    group by
        date_day,
        subscriber_id,
        app_name,
        asin,
        vendor_sku,
        currency
),

-- Rows that end up in the table, and before them what the months kept add up to.
history as (
    select
        changes.*,
        case when mrr_change > 0 then date_day end as paid_on,
        false as is_kept
    from changes
    {% if is_incremental() %}

    union all

    select
        max(date_month) as date_month,
        max(date_day) as date_day,
        subscriber_id,
        app_name,
        asin,
        vendor_sku,
        max(subscription_name) as subscription_name,
        max(subscription_duration) as subscription_duration,
        currency,
        cast(sum(mrr_change) as {{ dbt.type_numeric() }}) as mrr_change,
        cast(sum(subscribers_change) as {{ dbt.type_bigint() }}) as subscribers_change,
        0 as report_lines,
        0 as report_fingerprint,
        min(case when mrr_change > 0 then date_day end) as paid_on,
        true as is_kept
    from {{ this }}
    where subscriber_id in (select subscriber_id from changes)
    group by
        subscriber_id,
        app_name,
        asin,
        vendor_sku,
        currency
    {% endif %}
),

-- Whether a subscriber is new, lost or stays is judged by all that they pay for the app.
weighed as (
    select
        *,
        sum(mrr_change) over (
            partition by subscriber_id, app_name, currency order by date_day
        ) as app_mrr,
        sum(mrr_change) over (
            partition by subscriber_id, app_name, currency, date_day
        ) as app_mrr_change,
        min(paid_on) over (partition by subscriber_id, app_name, currency) as first_paid_on
    from history
)

select
    date_month,
    date_day,
    subscriber_id,
    app_name,
    asin,
    vendor_sku,
    subscription_name,
    subscription_duration,
    currency,
    mrr_change,
    case
        when mrr_change > 0 and app_mrr > app_mrr_change then 'expansion'
        when mrr_change > 0 and date_day = first_paid_on then 'new'
        when mrr_change > 0 then 'reactivated'
        when mrr_change < 0 and app_mrr > 0 then 'contraction'
        when mrr_change < 0 then 'churned'
    end as movement,
    subscribers_change,
    report_lines,
    report_fingerprint
from weighed
where not is_kept
