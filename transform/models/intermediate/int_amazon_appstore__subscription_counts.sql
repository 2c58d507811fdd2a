{% set counts = ['active', 'started', 'ended', 'refunded'] %}

with report as (
    select
        *,
        {{ normalize_term('subscription_duration') }} as documented_duration
    from {{ ref('stg_amazon_appstore__subscriptions') }}
),

titles as (
    select * from {{ ref('int_amazon_appstore__titles') }}
)

select
    report.source_relation,
    report.line_id,
    report.date_day,
    report.marketplace,
    titles.app_name,
    report.asin,
    report.vendor_sku,
    report.subscription_name,
    report.documented_duration as subscription_duration,
    {% for count in counts %}
    report.{{ count }},
    {% for type in ['trial', 'paid'] %}
    case when report.subscription_type = '{{ type }}' then report.{{ count }} else 0 end
        as {{ type }}_{{ count }}
    {%- if not loop.last %},{% endif %}

    {% endfor %}
    {%- if not loop.last %},{% endif %}
    {% endfor %}
from report
left join titles
    on report.source_relation = titles.source_relation
    and coalesce(report.asin, '') = titles.asin
    and report.app_name = titles.report_title
