{% set given_back = "transaction_type in ('refund', 'chargeback')" %}

with lines as (
    select
        *,
        {{ normalize_item_type('item_type') }} as documented_item_type,
        {{ normalize_term('subscription_duration') }} as documented_duration,
        coalesce(usage_time, 0) > 0 as is_underground,
        transaction_type in ('charge', 'refund', 'chargeback', 'chargeback reversal')
            as is_documented_type
    from {{ ref('stg_amazon_appstore__sales') }}
),

titles as (
    select * from {{ ref('int_amazon_appstore__titles') }}
)

select
    lines.source_relation,
    lines.line_id,
    lines.report_month,
    lines.report_last_modified,
    lines.date_day,
    lines.date_month,
    lines.transaction_at,
    lines.transaction_type,
    lines.is_adjustment,
    titles.app_name,
    lines.asin,
    lines.vendor_sku,
    lines.item_name,
    lines.documented_item_type as item_type,
    lines.documented_duration as subscription_duration,
    lines.subscription_status,
    lines.country_short,
    lines.device,
    lines.currency,
    -- An adjustment has the units and the price of the line that it adjusts.
    case
        when lines.is_adjustment or lines.is_underground then 0
        when lines.is_documented_type and lines.transaction_type <> 'charge' then abs(lines.units)
        else lines.units
    end as units,
    -- Reports have seconds.
    cast(
        case
            when
                lines.is_underground
                and lines.transaction_type = 'charge'
                and not lines.is_adjustment
                then lines.usage_time / 60
            else 0
        end as {{ dbt.type_numeric() }}
    ) as usage_minutes,
    -- Refunds and chargebacks have a negative price as documented, and a positive one in some files.
    cast(
        case
            when lines.is_adjustment then 0
            when {{ given_back }} then -abs(lines.sales_price)
            when lines.transaction_type = 'chargeback reversal' then abs(lines.sales_price)
            else lines.sales_price
        end as {{ dbt.type_numeric() }}
    ) as sales_price,
    -- Earnings have reliable signs from the reports of November 2019 on.
    cast(
        case
            when lines.report_month >= cast('2019-11-01' as date) then lines.estimated_earnings
            when {{ given_back }} then -abs(lines.estimated_earnings)
            when lines.is_documented_type and not lines.is_adjustment
                then abs(lines.estimated_earnings)
            else lines.estimated_earnings
        end as {{ dbt.type_numeric() }}
    ) as estimated_earnings,
    lines.app_user_id,
    lines.receipt_id,
    lines.transaction_id,
    lines.digital_order_id,
    lines.report_lines,
    -- Another title of the item changes the line, too.
    lines.report_fingerprint + titles.title_fingerprint as report_fingerprint
from lines
left join titles
    on lines.source_relation = titles.source_relation
    and coalesce(lines.asin, '') = titles.asin
    and lines.app_name = titles.report_title
