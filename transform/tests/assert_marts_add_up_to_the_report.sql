{{ config(enabled=var('amazon_appstore_exchange_rates') == '') }}

-- Per month and currency, what the overview says is what the report's lines say, written down
-- without the models: nothing withdrawn is in it, and nothing else is lost.
with figures as (
    select
        cast({{ dbt.date_trunc('month', 'coalesce(transaction_date, report_month)') }} as date)
            as date_month,
        case coalesce(marketplace_currency, 'XXX')
            when 'CAN' then 'CAD'
            else coalesce(marketplace_currency, 'XXX')
        end as currency,
        1 as report_lines,
        case when lower(transaction_type) = 'charge' and item_type = 'Application' then units end
            as downloads,
        case when lower(transaction_type) = 'charge' then sales_price end as gross_sales,
        case when lower(transaction_type) in ('refund', 'chargeback', 'chargeback reversal')
            then abs(sales_price) end as returned_sales,
        case when transaction_type is null or lower(transaction_type) not in
            ('charge', 'refund', 'chargeback', 'chargeback reversal')
            then sales_price end as other_sales,
        estimated_earnings
    from {{ source('amazon_appstore', 'sales') }}
    where (report_month, report_last_modified) in (
        select report_month, max(report_last_modified)
        from {{ source('amazon_appstore', 'sales') }}
        group by report_month
    )

    union all

    select
        date_month,
        currency,
        -report_lines,
        -downloads,
        -gross_sales,
        -(refunded_sales + charged_back_sales + reversed_sales),
        -other_sales,
        -estimated_earnings
    from {{ ref('amazon_appstore__overview_report') }}
)

select
    date_month,
    currency
from figures
group by
    date_month,
    currency
having
    sum(report_lines) <> 0
    or sum(downloads) <> 0
    or sum(gross_sales) <> 0
    or sum(returned_sales) <> 0
    or sum(other_sales) <> 0
    or sum(estimated_earnings) <> 0
