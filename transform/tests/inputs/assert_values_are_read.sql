{{ config(severity='warn', fail_calc='coalesce(sum(unread_lines), 0)') }}

-- Lines with an amount, a number of units or a day that did not fit its column: they count as 0, or
-- on the first day of their month. The cells are in `_rescued_data` of the raw table.
select
    source_relation,
    report,
    report_period,
    unread_lines
from {{ ref('amazon_appstore__report_months') }}
where unread_lines > 0
