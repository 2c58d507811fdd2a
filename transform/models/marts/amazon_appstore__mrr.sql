{% set gains, losses = ['new', 'expansion', 'reactivated'], ['contraction', 'churned'] %}
{% set days_of_series = '(partition by app_name, asin, vendor_sku, currency order by date_day)' %}

with days as (
    select date_day from {{ ref('int_amazon_appstore__days') }}
),

-- A period's end may lie ahead; whether a renewal follows is not known yet.
movements as (
    select * from {{ ref('int_amazon_appstore__mrr_in_reporting_currency') }}
    where
        date_day >= (select min(date_day) from days)
        and date_day <= (select max(date_day) from days)
),

series as (
    select
        app_name,
        asin,
        vendor_sku,
        currency,
        max(subscription_name) as subscription_name,
        max(subscription_duration) as subscription_duration,
        min(date_day) as first_day
    from movements
    group by
        app_name,
        asin,
        vendor_sku,
        currency
),

-- Every day of a series, whether anything moved on it or not. They are added up and not joined:
-- databases have no quick way to join what may be null.
filled as (
    select
        days.date_day,
        series.app_name,
        series.asin,
        series.vendor_sku,
        series.subscription_name,
        series.subscription_duration,
        series.currency,
        cast(null as {{ dbt.type_string() }}) as movement,
        0 as mrr_change,
        0 as subscribers_change
    from series
    inner join days
        on days.date_day >= series.first_day

    union all

    select
        date_day,
        app_name,
        asin,
        vendor_sku,
        null as subscription_name,
        null as subscription_duration,
        currency,
        movement,
        mrr_change,
        subscribers_change
    from movements
),

moved as (
    select
        date_day,
        app_name,
        asin,
        vendor_sku,
        max(subscription_name) as subscription_name,
        max(subscription_duration) as subscription_duration,
        currency,
        {% for movement in gains %}
        sum(case when movement = '{{ movement }}' then mrr_change else 0 end) as {{ movement }}_mrr,
        {% endfor %}
        {% for movement in losses %}
        sum(case when movement = '{{ movement }}' then -mrr_change else 0 end) as {{ movement }}_mrr,
        {% endfor %}
        sum(mrr_change) as mrr_change,
        sum(subscribers_change) as subscribers_change
    from filled
    group by
        date_day,
        app_name,
        asin,
        vendor_sku,
        currency
)

select
    date_day,
    {{ month_of('date_day') }} as date_month,
    'amazon_appstore' as app_platform,
    app_name,
    asin,
    vendor_sku,
    subscription_name,
    subscription_duration,
    currency,
    cast(sum(mrr_change) over {{ days_of_series }} as {{ dbt.type_numeric() }}) as mrr,
    {% for movement in gains + losses %}
    cast({{ movement }}_mrr as {{ dbt.type_numeric() }}) as {{ movement }}_mrr,
    {% endfor %}
    cast(sum(subscribers_change) over {{ days_of_series }} as {{ dbt.type_bigint() }})
        as subscribers
from moved
