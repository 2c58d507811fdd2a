{% set changes = ['new', 'returning', 'lost'] %}

with days as (
    select
        source_relation,
        date_day
    from {{ ref('int_amazon_appstore__days') }}
),

events as (
    select changes.*
    from {{ ref('int_amazon_appstore__subscriber_changes') }} as changes
    inner join days
        on changes.source_relation = days.source_relation
        and changes.date_day = days.date_day
),

apps as (
    select
        source_relation,
        app_name,
        min(date_day) as first_day
    from events
    group by
        source_relation,
        app_name
),

filled as (
    select
        apps.source_relation,
        days.date_day,
        apps.app_name,
        0 as subscribers_change,
        {{ null_of('text') }} as change
    from apps
    inner join days
        on apps.source_relation = days.source_relation
        and days.date_day >= apps.first_day

    union all

    select
        source_relation,
        date_day,
        app_name,
        subscribers_change,
        change
    from events
),

moved as (
    select
        source_relation,
        date_day,
        app_name,
        sum(subscribers_change) as subscribers_change,
        {% for change in changes %}
        cast(sum(case when change = '{{ change }}' then 1 else 0 end) as {{ dbt.type_bigint() }})
            as {{ change }}_subscribers{% if not loop.last %},{% endif %}

        {% endfor %}
    from filled
    group by
        source_relation,
        date_day,
        app_name
),

levels as (
    select
        *,
        cast(
            sum(subscribers_change) over (
                partition by source_relation, app_name order by date_day
            ) as {{ dbt.type_bigint() }}
        ) as subscribers
    from moved
)

select
    levels.source_relation,
    levels.date_day,
    {{ month_of('levels.date_day') }} as date_month,
    'amazon_appstore' as app_platform,
    levels.app_name,
    levels.subscribers,
    {% for change in changes %}
    levels.{{ change }}_subscribers,
    {% endfor %}
    levels.date_day > last_days.last_final_mrr_day as is_provisional
from levels
inner join {{ ref('int_amazon_appstore__last_days') }} as last_days
    on levels.source_relation = last_days.source_relation
