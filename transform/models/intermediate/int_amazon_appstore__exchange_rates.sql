{{ config(materialized='table') }}

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
    select date_day from {{ ref('int_amazon_appstore__days') }}
),

-- A rate holds from its day to the day before the next.
spans as (
    select
        currency,
        rate,
        date_day as first_day,
        lead(date_day) over (partition by currency order by date_day) as next_day
    from rates
)

select
    days.date_day,
    spans.currency,
    '{{ var("amazon_appstore_reporting_currency") }}' as reporting_currency,
    spans.rate
from days
inner join spans
    on days.date_day >= spans.first_day
    and (days.date_day < spans.next_day or spans.next_day is null)
