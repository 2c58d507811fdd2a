{% set of_series %}
source_relation, date_day, app_name, asin, vendor_sku
{%- endset %}

with cohorts as (
    select
        {{ of_series }},
        max(subscription_name) as subscription_name,
        max(subscription_duration) as subscription_duration,
        cast(count(*) as {{ dbt.type_bigint() }}) as trials,
        cast(count(converted_on) as {{ dbt.type_bigint() }}) as trial_conversions,
        cast(sum(case when is_undecided then 1 else 0 end) as {{ dbt.type_bigint() }})
            as trials_undecided
    from {{ ref('int_amazon_appstore__trials') }}
    group by {{ of_series }}
)

select
    cohorts.source_relation,
    cohorts.date_day,
    {{ month_of('cohorts.date_day') }} as date_month,
    'amazon_appstore' as app_platform,
    cohorts.app_name,
    cohorts.asin,
    cohorts.vendor_sku,
    cohorts.subscription_name,
    cohorts.subscription_duration,
    cohorts.trials,
    cohorts.trial_conversions,
    cohorts.trials_undecided,
    cast(
        case
            when cohorts.trials_undecided < cohorts.trials
                then cohorts.trial_conversions * 1.0 / cohorts.trials
        end as {{ dbt.type_numeric() }}
    ) as trial_conversion_rate,
    cohorts.trials_undecided > 0 or cohorts.date_day > last_days.last_final_day as is_provisional
from cohorts
inner join {{ ref('int_amazon_appstore__last_days') }} as last_days
    on cohorts.source_relation = last_days.source_relation
