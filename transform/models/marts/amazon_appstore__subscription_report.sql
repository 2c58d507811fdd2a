{% set counts = ['active', 'started', 'ended', 'refunded'] %}
{% set types, prefixes = ['trial', 'paid'], ['', 'trial_', 'paid_'] %}
{% set days_of_series = '(partition by app_name, asin, vendor_sku order by date_day)' %}

with report as (
    select * from {{ ref('stg_amazon_appstore__subscriptions') }}
),

conversions as (
    select * from {{ ref('int_amazon_appstore__trial_conversions') }}
),

-- Both reports' figures, each null where only the other has a row.
figures as (
    select
        date_day,
        app_name,
        asin,
        vendor_sku,
        subscription_name,
        subscription_duration,
        {% for count in counts %}
        {{ count }},
        {% for type in types %}
        case when subscription_type = '{{ type }}' then {{ count }} else 0 end as {{ type }}_{{ count }},
        {% endfor %}
        {% endfor %}
        0 as trial_conversions
    from report

    union all

    select
        date_day,
        app_name,
        asin,
        vendor_sku,
        subscription_name,
        subscription_duration,
        {% for count in counts %}
        null as {{ count }},
        {% for type in types %}
        null as {{ type }}_{{ count }},
        {% endfor %}
        {% endfor %}
        trial_conversions
    from conversions
),

daily as (
    select
        date_day,
        app_name,
        asin,
        vendor_sku,
        max(subscription_name) as subscription_name,
        max(subscription_duration) as subscription_duration,
        {% for count in counts %}
        {% for prefix in prefixes %}
        cast(sum({{ prefix }}{{ count }}) as {{ dbt.type_bigint() }}) as {{ prefix }}{{ count }},
        {% endfor %}
        {% endfor %}
        cast(sum(trial_conversions) as {{ dbt.type_bigint() }}) as trial_conversions
    from figures
    group by
        date_day,
        app_name,
        asin,
        vendor_sku
),

compared as (
    select
        *,
        case
            when lag(date_day) over {{ days_of_series }} = {{ dbt.dateadd('day', -1, 'date_day') }}
                then lag(paid_active) over {{ days_of_series }}
        end as paid_active_previous_day
    from daily
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
    {% for prefix in prefixes %}
    {% for count in counts %}
    {{ prefix }}{{ count }},
    {% endfor %}
    {% endfor %}
    paid_active_previous_day,
    cast(
        paid_ended * 1.0 / nullif(paid_active_previous_day, 0) as {{ dbt.type_numeric() }}
    ) as churn_rate,
    trial_conversions,
    cast(
        trial_conversions * 1.0 / nullif(trial_conversions + trial_ended, 0)
        as {{ dbt.type_numeric() }}
    ) as trial_conversion_rate
from compared
