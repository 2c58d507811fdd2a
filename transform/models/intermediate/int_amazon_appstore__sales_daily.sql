{{ config(
    materialized='incremental',
    partition_by='date_month' if target.type == 'spark' else none,
    pre_hook="{{ amazon_appstore.forget_changed_months(ref('int_amazon_appstore__sales_months')) }}"
) }}

with sales as (
    select * from {{ ref('stg_amazon_appstore__sales') }}
    {% if is_incremental() %}
    where date_month in ({{ changed_months(ref('int_amazon_appstore__sales_months'), this) }})
    {% endif %}
),

-- The signs of refunds and chargebacks have changed over the years: only their size is used.
measured as (
    select
        *,
        case when transaction_type = 'charge' then units else 0 end as charged_units,
        case when transaction_type = 'refund' then abs(units) else 0 end as refunds,
        case when transaction_type = 'chargeback' then abs(units) else 0 end as chargebacks,
        case when transaction_type = 'chargeback reversal' then abs(units) else 0 end
            as chargeback_reversals,
        case when transaction_type = 'charge' then sales_price else 0 end as gross_sales,
        case when transaction_type = 'refund' then abs(sales_price) else 0 end as refunded_sales,
        case when transaction_type = 'chargeback' then abs(sales_price) else 0 end
            as charged_back_sales,
        case when transaction_type = 'chargeback reversal' then abs(sales_price) else 0 end
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
    date_month,
    date_day,
    app_name,
    asin,
    vendor_sku,
    item_type,
    max(item_name) as item_name,
    country_short,
    device,
    currency,
    {{ sales_sums() }},
    -- A file written after its month's end tells of all its days, an earlier one up to its last line.
    max(
        case
            when cast(report_last_modified as date) > report_month_end then report_month_end
            when date_day > report_month_end then report_month_end
            else date_day
        end
    ) as known_until,
    cast(sum(report_lines) as {{ dbt.type_bigint() }}) as report_lines,
    cast(sum(report_fingerprint) as {{ dbt.type_bigint() }}) as report_fingerprint
from sorted
group by
    date_month,
    date_day,
    app_name,
    asin,
    vendor_sku,
    item_type,
    country_short,
    device,
    currency
