-- Currencies, the one of the most paid lines first.
select currency
from {{ mart }}
group by currency
order by
    sum(case when gross_sales <> 0 then report_lines else 0 end) desc,
    sum(report_lines) desc,
    currency
