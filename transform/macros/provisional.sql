{#- Hook of a sales mart: delete the months in which `is_provisional` is no longer right, because the
    last final day has moved. The query then adds these months again. -#}
{% macro forget_outdated_flags() %}
    {% if is_incremental() %}
        {% set months %}
            select distinct
                kept.source_relation,
                kept.date_month
            from {{ this }} as kept
            inner join {{ ref('int_amazon_appstore__last_days') }} as last_days
                on kept.source_relation = last_days.source_relation
            where kept.is_provisional <> (kept.date_day > last_days.last_final_day)
        {% endset %}
        {{ forget_months(months) }}
    {% endif %}
{% endmacro %}
