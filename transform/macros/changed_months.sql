{#- The months in which what a table holds is not what the report says now: new, restated or gone.
    `report` is the report's months, `only` a condition on them. -#}
{% macro changed_months(report, kept, only='true') %}
    select date_month
    from (
        select date_month, report_lines, report_versions
        from {{ report }}
        where {{ only }}
        union all
        select date_month, -report_lines, -report_versions
        from {{ kept }}
    ) as compared
    group by date_month
    having sum(report_lines) <> 0 or sum(report_versions) <> 0
{% endmacro %}


{#- Hook of a table by month: deletes the months that its query is about to add again. Spark
    overwrites them as partitions instead. -#}
{% macro forget_changed_months(report) %}
    {% if is_incremental() and target.type != 'spark' %}
        delete from {{ this }} where date_month in ({{ changed_months(report, this) }})
    {% endif %}
{% endmacro %}


{#- Hook of a table of subscriptions whose months build on those before: deletes all from the first
    changed month on, or some months earlier. Its query adds what follows the last month kept. -#}
{% macro forget_from_first_changed_month(report, months_earlier=0) %}
    {% if is_incremental() %}
        delete from {{ this }}
        where date_month >= (
            select {{ dbt.dateadd('month', -months_earlier, 'min(date_month)') }}
            from ({{ changed_months(report, this, only='is_subscription') }}) as changed
        )
    {% endif %}
{% endmacro %}


{#- The last day that such a table still holds; one before all days where it holds none. -#}
{% macro last_day_kept() %}
    (
        select coalesce({{ dbt.last_day('max(date_month)', 'month') }}, cast('1900-01-01' as date))
        from {{ this }}
    )
{% endmacro %}
