{{ config(materialized='table') }}

with bounds as (
    -- Reports begin in January 2018; a day far before is a slip that must not stretch the calendar.
    select
        greatest(min(date_day), cast('2017-01-01' as date)) as first_day,
        max(known_until) as last_day
    from {{ ref('int_amazon_appstore__sales_daily') }}
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

select cast({{ dbt.dateadd('day', 'numbers.number', 'bounds.first_day') }} as date) as date_day
from bounds
inner join numbers
    on numbers.number <= {{ dbt.datediff('bounds.first_day', 'bounds.last_day', 'day') }}
