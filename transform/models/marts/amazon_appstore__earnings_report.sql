with sales as (
    select
        source_relation,
        report_month as date_month,
        currency,
        sum(estimated_earnings) as estimated_earnings
    from {{ ref('int_amazon_appstore__sales_months') }}
    group by
        source_relation,
        report_month,
        currency
),

-- A payment that was rejected is issued again: its invoice counts once, as of its latest payment.
invoices as (
    select
        *,
        row_number() over (
            partition by
                source_relation,
                earnings_month,
                marketplace,
                currency,
                coalesce(invoice_id, 'line:' || line_id)
            order by
                case when payment_status = 'issued' then 0 else 1 end,
                coalesce(payment_issue_date, payment_failure_date, earnings_month) desc,
                line_id
        ) as place
    from {{ ref('stg_amazon_appstore__earnings') }}
),

earnings as (
    select
        source_relation,
        earnings_month as date_month,
        currency,
        sum(earnings) as earnings,
        sum(case when coalesce(adjustments_currency, currency) = currency then adjustments end)
            as adjustments,
        sum(case when coalesce(tax_withheld_currency, currency) = currency then tax_withheld end)
            as tax_withheld,
        sum(case when payment_status = 'issued' then earnings else 0 end) as paid_earnings
    from invoices
    where place = 1
    group by
        source_relation,
        earnings_month,
        currency
),

months as (
    select distinct
        source_relation,
        date_month,
        currency
    from (
        select source_relation, date_month, currency from sales
        union all
        select source_relation, date_month, currency from earnings
    ) as either
)

select
    months.source_relation,
    months.date_month,
    'amazon_appstore' as app_platform,
    months.currency,
    {% for amount in ['estimated_earnings'] %}
    cast(sales.{{ amount }} as {{ dbt.type_numeric() }}) as {{ amount }},
    {% endfor %}
    {% for amount in ['earnings', 'adjustments', 'tax_withheld', 'paid_earnings'] %}
    cast(earnings.{{ amount }} as {{ dbt.type_numeric() }}) as {{ amount }},
    {% endfor %}
    cast(earnings.earnings - sales.estimated_earnings as {{ dbt.type_numeric() }}) as difference,
    coalesce(earnings.earnings <> earnings.paid_earnings, true) as is_provisional
from months
left join sales
    on months.source_relation = sales.source_relation
    and months.date_month = sales.date_month
    and months.currency = sales.currency
left join earnings
    on months.source_relation = earnings.source_relation
    and months.date_month = earnings.date_month
    and months.currency = earnings.currency
