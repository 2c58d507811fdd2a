{{ config(
    materialized='incremental',
    partition_by=['source_relation', 'date_month'] if target.type == 'spark' else none,
    pre_hook="{{ amazon_appstore.forget_changed_months(ref('int_amazon_appstore__sales_months')) }}"
) }}

{% set dimensions %}
    source_relation,
    date_month,
    date_day,
    app_name,
    asin,
    vendor_sku,
    item_type,
    country_short,
    device,
    currency
{%- endset %}

with sales as (
    select lines.*
    from {{ ref('int_amazon_appstore__sales_lines') }} as lines
    {% if is_incremental() %}
    inner join ({{ changed_months(ref('int_amazon_appstore__sales_months'), this) }}) as changed
        on lines.source_relation = changed.source_relation
        and lines.date_month = changed.date_month
    {% endif %}
),

measured as (
    select
        *,
        case when transaction_type = 'charge' then units else 0 end as charged_units,
        {% for measure, type in [
            ('refunds', 'refund'),
            ('chargebacks', 'chargeback'),
            ('chargeback_reversals', 'chargeback reversal'),
        ] %}
        case when transaction_type = '{{ type }}' then units else 0 end as {{ measure }},
        {% endfor %}
        case when is_adjustment then 1 else 0 end as adjustments,
        case when transaction_type = 'charge' then sales_price else 0 end as gross_sales,
        case when transaction_type = 'refund' then -sales_price else 0 end as refunded_sales,
        case when transaction_type = 'chargeback' then -sales_price else 0 end
            as charged_back_sales,
        case when transaction_type = 'chargeback reversal' then sales_price else 0 end
            as reversed_sales,
        case
            when transaction_type in ('charge', 'refund', 'chargeback', 'chargeback reversal') then 0
            else sales_price
        end as other_sales
    from sales
),

sorted as (
    select
        *,
        case when item_type = 'Application' then charged_units else 0 end as downloads,
        case when item_type in ('In-App', 'In-Game') then charged_units else 0 end as in_app_units,
        case when item_type = 'Subscription' then charged_units else 0 end as subscription_units,
        case
            when item_type in ('Application', 'In-App', 'In-Game', 'Subscription') then 0
            else charged_units
        end as other_units,
        {{ dbt.last_day('report_month', 'month') }} as report_month_end
    from measured
)

select
    {{ dimensions | trim }},
    max(item_name) as item_name,
    {{ sales_sums() }},
    -- A file written after its month's end covers all its days, an earlier one those up to its last line.
    max(
        case
            when cast(report_last_modified as date) > report_month_end then report_month_end
            when date_day > report_month_end then report_month_end
            else date_day
        end
    ) as known_until,
    max(cast(report_last_modified as date)) as written_on,
    cast(sum(report_lines) as {{ dbt.type_bigint() }}) as report_lines,
    cast(sum(report_fingerprint) as {{ dbt.type_bigint() }}) as report_fingerprint
from sorted
group by
    {{ dimensions | trim }}
