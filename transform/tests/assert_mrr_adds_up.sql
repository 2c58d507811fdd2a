{{ config(enabled=project_name == 'amazon_appstore') }}

-- Over the plans of an app, changes of plan add up to nothing, and subscribers to the people of the app.
{% set tolerance = 0.001 if var('amazon_appstore_exchange_rates') else 0 %}

with plans as (
    select
        source_relation,
        date_day,
        app_name,
        currency,
        sum(plan_change_mrr) as plan_change_mrr
    from {{ ref('amazon_appstore__mrr') }}
    group by
        source_relation,
        date_day,
        app_name,
        currency
),

people as (
    select
        source_relation,
        date_day,
        app_name,
        sum(subscribers) as subscribers
    from (
        select
            source_relation,
            date_day,
            app_name,
            subscribers
        from {{ ref('amazon_appstore__mrr') }}

        union all

        select
            source_relation,
            date_day,
            app_name,
            -subscribers as subscribers
        from {{ ref('amazon_appstore__subscriber_report') }}
    ) as compared
    group by
        source_relation,
        date_day,
        app_name
)

select
    source_relation,
    date_day,
    app_name,
    'plan changes' as what
from plans
where abs(plan_change_mrr) > {{ tolerance }}

union all

select
    source_relation,
    date_day,
    app_name,
    'subscribers' as what
from people
where subscribers <> 0
