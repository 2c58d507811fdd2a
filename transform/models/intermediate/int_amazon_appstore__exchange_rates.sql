{{ config(materialized='table', enabled=var('amazon_appstore_exchange_rates') != '') }}

{% set rates_relation = var('amazon_appstore_exchange_rates') %}

with rates as (
    select
        cast(date_day as date) as date_day,
        currency,
        cast(rate as {{ dbt.type_numeric() }}) as rate
    from {{ rates_relation if '.' in rates_relation else ref(rates_relation) }}
    where reporting_currency = '{{ var("amazon_appstore_reporting_currency") }}'
),

days as (
    select distinct date_day from {{ ref('int_amazon_appstore__days') }}
),

nexts as (
    select
        currency,
        rate,
        date_day as first_day,
        cast(
            {{ dbt.dateadd('day', var('amazon_appstore_exchange_rate_days') | int, 'date_day') }}
            as date
        ) as expires_on,
        lead(date_day) over (partition by currency order by date_day) as next_day
    from rates
),

-- A rate holds from its day to the day before the next, and no longer than the variable allows.
spans as (
    select
        currency,
        rate,
        first_day,
        case when next_day < expires_on then next_day else expires_on end as end_day
    from nexts
)

select
    days.date_day,
    spans.currency,
    '{{ var("amazon_appstore_reporting_currency") }}' as reporting_currency,
    spans.rate,
    spans.first_day as rate_day
from days
inner join spans
    on days.date_day >= spans.first_day
    and days.date_day < spans.end_day
