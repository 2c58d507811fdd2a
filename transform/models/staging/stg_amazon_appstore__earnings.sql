with standing as (
    {{ standing_lines('earnings', period_of_file('earnings')) }}
)

select
    source_relation,
    line_id,
    report_month,
    {{ period_of_file('earnings') }} as report_period,
    report_last_modified,
    marketplace,
    invoice_id,
    payment_id,
    {{ month_of('coalesce(earnings_period_start_date, report_month)') }} as earnings_month,
    case
        when earnings_pre_tax_and_adjustments_currency = 'CAN' then 'CAD'
        else coalesce(earnings_pre_tax_and_adjustments_currency, 'XXX')
    end as currency,
    earnings_pre_tax_and_adjustments as earnings,
    adjustments,
    adjustments_currency,
    tax_withheld,
    tax_withheld_currency,
    payment_amount,
    payment_amount_currency,
    lower(payment_status) as payment_status,
    payment_issue_date,
    payment_failure_date,
    vendor_id,
    _rescued_data is not null as has_rescued_data,
    {{ has_unread_values('earnings') }} as has_unread_values
from standing
