{{ config(materialized='table') }}

{#- After so many days without a charge under the old title, the new one has replaced it. -#}
{% set quiet_days = 31 %}
{% set day = 'cast(date_day as ' ~ dbt.type_timestamp() ~ ')' %}
{% set at = 'coalesce(transaction_at, ' ~ day ~ ')' %}

with seen as (
    select
        source_relation,
        asin,
        app_name as report_title,
        nullif(app_name, '(no title)') as title,
        max(report_month) as last_month,
        min({{ at }}) as first_seen,
        max({{ at }}) as last_seen,
        max(case when transaction_type = 'charge' then {{ at }} end) as last_charged
    from {{ ref('stg_amazon_appstore__sales') }}
    group by
        source_relation,
        asin,
        app_name

    union all

    select
        source_relation,
        asin,
        app_name as report_title,
        nullif(app_name, '(no title)') as title,
        max(date_month) as last_month,
        min({{ day }}) as first_seen,
        max({{ day }}) as last_seen,
        max({{ day }}) as last_charged
    from {{ ref('stg_amazon_appstore__subscriptions') }}
    group by
        source_relation,
        asin,
        app_name
),

-- A line without an ASIN is an item by its title.
items as (
    select
        source_relation,
        coalesce(asin, '') as asin,
        report_title,
        coalesce(asin, 'title:' || report_title) as item,
        title,
        max(last_month) as last_month,
        min(first_seen) as first_seen,
        max(last_seen) as last_seen,
        max(last_charged) as last_charged
    from seen
    group by
        source_relation,
        coalesce(asin, ''),
        report_title,
        coalesce(asin, 'title:' || report_title),
        title
),

ranked as (
    select
        *,
        coalesce(
            max(last_charged) over (partition by source_relation, title),
            max(last_seen) over (partition by source_relation, title)
        ) as title_last_charged,
        row_number() over (
            partition by source_relation, item
            order by last_month desc, last_seen desc, title desc
        ) as place
    from items
    where title is not null
),

latest as (
    select * from ranked
    where place = 1
),

-- An item that was sold under both titles shows that the app was renamed, unless other items still sell
-- under the old title. Items that stopped before the renaming follow by their title.
carried as (
    select
        ranked.source_relation,
        ranked.title,
        latest.title as next_title,
        row_number() over (
            partition by ranked.source_relation, ranked.title
            order by latest.last_month desc, latest.last_seen desc, latest.title desc
        ) as place
    from ranked
    inner join latest
        on ranked.source_relation = latest.source_relation
        and ranked.item = latest.item
    where
        ranked.title <> latest.title
        and (
            ranked.title_last_charged < latest.first_seen
            or ranked.title_last_charged < {{ dbt.dateadd('day', -quiet_days, 'latest.last_seen') }}
        )
),

renamed as (
    select * from carried
    where place = 1
),

resolved as (
    select
        items.source_relation,
        items.asin,
        items.report_title,
        coalesce(third_name.next_title, second_name.next_title, first_name.next_title, latest.title, '(no title)')
            as app_name
    from items
    left join latest
        on items.source_relation = latest.source_relation
        and items.item = latest.item
    {% for previous, title, name in [
        ('latest', 'title', 'first_name'), ('first_name', 'next_title', 'second_name'), ('second_name', 'next_title', 'third_name')
    ] %}
    left join renamed as {{ name }}
        on {{ previous }}.source_relation = {{ name }}.source_relation
        and {{ previous }}.{{ title }} = {{ name }}.title
    {% endfor %}
)

select
    source_relation,
    asin,
    report_title,
    app_name,
    {{ content_fingerprint(['app_name']) }} as title_fingerprint
from resolved
