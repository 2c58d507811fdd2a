-- The last day that a mart has a figure of.
select max(date_day)
from {{ mart }}
where {{ figure }} is not null
