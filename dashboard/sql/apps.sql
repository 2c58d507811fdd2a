-- Apps, the one with the most report lines first.
select app_name
from {{ mart }}
group by app_name
order by
    sum(report_lines) desc,
    app_name
