-- Report files that are loaded.
select
    report_month as month,
    source_relation as account,
    report,
    report_period,
    report_last_modified,
    report_lines,
    withdrawn_lines,
    rescued_lines,
    unread_lines,
    is_final
from {{ mart }}
order by 1, 2, 3, 4
