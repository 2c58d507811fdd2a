{{ config(severity='warn') }}

-- Reports whose newest file has less than half of the lines that the raw table holds of the period. A
-- load that was interrupted looks like this. Load the period again; if it stays, Amazon has withdrawn
-- the lines.
select
    source_relation,
    report,
    report_period,
    report_lines,
    withdrawn_lines
from {{ ref('amazon_appstore__report_months') }}
where withdrawn_lines > report_lines
