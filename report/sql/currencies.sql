-- Currencies, the one that is paid in most often first; downloads of free apps are paid in none.
select currency
from {{ mart }}
group by currency
order by
    sum(case when gross_sales <> 0 then report_lines else 0 end) desc,
    sum(report_lines) desc,
    currency
