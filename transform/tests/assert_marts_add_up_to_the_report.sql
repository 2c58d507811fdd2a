{{ config(
    enabled=project_name == 'amazon_appstore' and var('amazon_appstore_exchange_rates') == ''
) }}

-- Per account, month and currency, the overview has the sums of the standing lines, computed here from
-- the raw tables: nothing withdrawn is counted, and nothing else is lost.
with lines as (
    {{ loaded_lines('sales') }}
),

newest as (
    select
        source_relation,
        report_month,
        max(report_last_modified) as report_last_modified
    from (
        {{ loaded_lines('sales') }}
    ) as files
    group by
        source_relation,
        report_month
),

standing as (
    select
        lines.*,
        coalesce(lower(lines.transaction_type), '') as kind,
        lower(lines.transaction_type) in ('refund', 'chargeback') as is_given_back,
        case when lines.adjustment then 0 else 1 end as counted
    from lines
    inner join newest
        on lines.source_relation = newest.source_relation
        and lines.report_month = newest.report_month
        and lines.report_last_modified = newest.report_last_modified
),

figures as (
    select
        source_relation,
        {{ month_of('coalesce(transaction_date, report_month)') }} as date_month,
        case
            when marketplace_currency = 'CAN' then 'CAD'
            else coalesce(marketplace_currency, 'XXX')
        end as currency,
        1 as report_lines,
        case
            when
                kind = 'charge'
                and {{ normalize_text('item_type') }} = 'application'
                and coalesce(usage_time, 0) <= 0
                then units * counted
        end as downloads,
        case when kind = 'charge' then sales_price * counted end as gross_sales,
        case when is_given_back or kind = 'chargeback reversal' then abs(sales_price) * counted end
            as returned_sales,
        case
            when kind not in ('charge', 'refund', 'chargeback', 'chargeback reversal')
                then sales_price * counted
        end as other_sales,
        case
            when
                report_month < cast('2019-11-01' as date)
                and (is_given_back or (counted = 1 and kind in ('charge', 'chargeback reversal')))
                then abs(estimated_earnings) * case when is_given_back then -1 else 1 end
            else estimated_earnings
        end as estimated_earnings
    from standing

    union all

    select
        source_relation,
        date_month,
        currency,
        -report_lines as report_lines,
        -downloads as downloads,
        -gross_sales as gross_sales,
        -(refunded_sales + charged_back_sales + reversed_sales) as returned_sales,
        -other_sales as other_sales,
        -estimated_earnings as estimated_earnings
    from {{ ref('amazon_appstore__overview_report') }}
)

select
    source_relation,
    date_month,
    currency
from figures
group by
    source_relation,
    date_month,
    currency
having
    sum(report_lines) <> 0
    or sum(downloads) <> 0
    or sum(gross_sales) <> 0
    or sum(returned_sales) <> 0
    or sum(other_sales) <> 0
    or sum(estimated_earnings) <> 0
