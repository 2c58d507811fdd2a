{{ config(enabled=project_name == 'amazon_appstore') }}

-- No subscriber has revenue or pays before the month of the first paid charge.
select *
from {{ ref('amazon_appstore__subscriber_cohorts') }}
where months_since < 0
