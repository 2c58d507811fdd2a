{{ config(enabled=project_name == 'amazon_appstore') }}

-- Per account and month, both marts of Amazon's own counts have the sums of the report's lines.
{% set counts = ['active', 'started', 'ended', 'refunded'] %}
{% set marts = ['subscription_report', 'marketplace_report'] %}

with figures as (
    {% for mart in marts %}
    select
        '{{ mart }}' as mart,
        source_relation,
        date_month,
        {{ counts | join(', ') }}
    from {{ ref('stg_amazon_appstore__subscriptions') }}

    union all

    select
        '{{ mart }}' as mart,
        source_relation,
        date_month,
        {% for count in counts %}
        -{{ count }} as {{ count }}{% if not loop.last %},{% endif %}

        {% endfor %}
    from {{ ref('amazon_appstore__' ~ mart) }}
    {% if not loop.last %}

    union all

    {% endif %}
    {% endfor %}
)

select
    mart,
    source_relation,
    date_month
from figures
group by
    mart,
    source_relation,
    date_month
having
    {% for count in counts %}
    sum({{ count }}) <> 0{% if not loop.last %} or {% endif %}

    {% endfor %}
