{{ config(enabled=project_name == 'amazon_appstore') }}

-- From one day of an app to the next, subscribers change by those who come and go.
with compared as (
    select
        *,
        coalesce(
            lag(subscribers) over (partition by source_relation, app_name order by date_day), 0
        ) as previous_subscribers
    from {{ ref('amazon_appstore__subscriber_report') }}
)

select *
from compared
where
    subscribers
    <> previous_subscribers + new_subscribers + returning_subscribers - lost_subscribers
