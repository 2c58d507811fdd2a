{% set counts = ['active', 'started', 'ended', 'refunded'] %}

with report as (
    select
        source_relation,
        date_day,
        app_name,
        marketplace,
        {% for prefix in ['', 'trial_', 'paid_'] %}
        {% for count in counts %}
        cast(sum({{ prefix }}{{ count }}) as {{ dbt.type_bigint() }}) as {{ prefix }}{{ count }}
        {%- if not loop.last %},{% endif %}

        {% endfor %}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from {{ ref('int_amazon_appstore__subscription_counts') }}
    group by
        source_relation,
        date_day,
        app_name,
        marketplace
)

select
    report.source_relation,
    report.date_day,
    {{ month_of('report.date_day') }} as date_month,
    'amazon_appstore' as app_platform,
    report.app_name,
    report.marketplace,
    {% for prefix in ['', 'trial_', 'paid_'] %}
    {% for count in counts %}
    report.{{ prefix }}{{ count }},
    {% endfor %}
    {% endfor %}
    report.date_day > last_days.last_final_subscription_day as is_provisional
from report
inner join {{ ref('int_amazon_appstore__last_days') }} as last_days
    on report.source_relation = last_days.source_relation
