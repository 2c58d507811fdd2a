{{ config(materialized='table') }}

with bounds as (
    select
        source_relation,
        {{ month_of('first_day') }} as first_day,
        last_day
    from {{ ref('int_amazon_appstore__last_days') }}
    where first_day is not null
),

digits as (
    {% for digit in range(10) %}
    select {{ digit }} as digit
    {%- if not loop.last %} union all {% endif %}
    {% endfor %}
),

numbers as (
    select
        ones.digit
        + 10 * tens.digit
        + 100 * hundreds.digit
        + 1000 * thousands.digit
        + 10000 * ten_thousands.digit as number
    from digits as ones
    cross join digits as tens
    cross join digits as hundreds
    cross join digits as thousands
    cross join digits as ten_thousands
)

select
    bounds.source_relation,
    cast({{ dbt.dateadd('day', 'numbers.number', 'bounds.first_day') }} as date) as date_day
from bounds
inner join numbers
    on numbers.number <= {{ dbt.datediff('bounds.first_day', 'bounds.last_day', 'day') }}
