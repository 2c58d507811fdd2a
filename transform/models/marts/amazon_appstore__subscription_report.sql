{% set counts = ['active', 'started', 'ended', 'refunded'] %}
{% set types, prefixes = ['trial', 'paid'], ['', 'trial_', 'paid_'] %}
{% set of_series %}
source_relation, app_name, asin, vendor_sku
{%- endset %}
{% set days_of_series = '(partition by ' ~ of_series ~ ' order by date_day)' %}

with report as (
    select * from {{ ref('int_amazon_appstore__subscription_counts') }}
),

conversions as (
    select
        {{ of_series }},
        converted_on as date_day,
        max(subscription_name) as subscription_name,
        max(subscription_duration) as subscription_duration,
        count(*) as trial_conversions
    from {{ ref('int_amazon_appstore__trials') }}
    where converted_on is not null
    group by
        {{ of_series }},
        converted_on
),

last_days as (
    select
        source_relation,
        last_final_day,
        last_final_subscription_day
    from {{ ref('int_amazon_appstore__last_days') }}
),

-- Both reports' figures, each null where only the other has a row.
figures as (
    select
        {{ of_series }},
        date_day,
        subscription_name,
        subscription_duration,
        {% for count in counts %}
        {% for prefix in prefixes %}
        {{ prefix }}{{ count }},
        {% endfor %}
        {% endfor %}
        0 as trial_conversions
    from report

    union all

    select
        {{ of_series }},
        date_day,
        subscription_name,
        subscription_duration,
        {% for count in counts %}
        {% for prefix in prefixes %}
        {{ null_of('integer') }} as {{ prefix }}{{ count }},
        {% endfor %}
        {% endfor %}
        trial_conversions
    from conversions
),

daily as (
    select
        {{ of_series }},
        date_day,
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
        {{ of_series }},
        date_day
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
    compared.source_relation,
    compared.date_day,
    {{ month_of('compared.date_day') }} as date_month,
    'amazon_appstore' as app_platform,
    compared.app_name,
    compared.asin,
    compared.vendor_sku,
    compared.subscription_name,
    compared.subscription_duration,
    {% for prefix in prefixes %}
    {% for count in counts %}
    compared.{{ prefix }}{{ count }},
    {% endfor %}
    {% endfor %}
    compared.paid_active_previous_day,
    cast(
        compared.paid_ended * 1.0 / nullif(compared.paid_active_previous_day, 0)
        as {{ dbt.type_numeric() }}
    ) as churn_rate,
    compared.trial_conversions,
    cast(
        compared.trial_conversions
        * 1.0 / nullif(compared.trial_conversions + compared.trial_ended, 0)
        as {{ dbt.type_numeric() }}
    ) as trial_conversion_rate,
    -- Charges may be known to an earlier day than Amazon's own counts.
    coalesce(compared.date_day > last_days.last_final_day, false)
    or coalesce(compared.date_day > last_days.last_final_subscription_day, false)
        as is_provisional
from compared
inner join last_days
    on compared.source_relation = last_days.source_relation
