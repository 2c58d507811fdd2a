{#-
    How tables grow by month. Before an incremental model's query runs, a hook deletes the months that
    have changed; the query adds what the table then lacks. Both happen in one transaction where the
    warehouse has them.
-#}


{#- The months in which what a table holds is not what the report says now: new, restated or gone.
    `report` is the report's months, `only` a condition on them. -#}
{% macro changed_months(report, kept, only='true') %}
    select date_month
    from (
        select date_month, report_lines, report_fingerprint
        from {{ report }}
        where {{ only }}
        union all
        select date_month, -report_lines, -report_fingerprint
        from {{ kept }}
    ) as compared
    group by date_month
    having sum(report_lines) <> 0 or sum(report_fingerprint) <> 0
{% endmacro %}


{#- Hook of a table whose months do not depend on each other: deletes those that have changed. -#}
{% macro forget_changed_months(report) %}
    {% if is_incremental() %}
        {{ forget_months(changed_months(report, this)) }}
    {% endif %}
{% endmacro %}


{#- Hook of a table of subscriptions whose months build on those before: deletes all from some months
    before the first changed one on. Its query adds what follows the last day kept. -#}
{% macro forget_from_first_changed_month(report, months_earlier) %}
    {% if is_incremental() %}
        {% set months %}
            select date_month
            from {{ this }}
            where date_month >= (
                select {{ dbt.dateadd('month', -months_earlier, 'min(date_month)') }}
                from ({{ changed_months(report, this, only='is_subscription') }}) as changed
            )
        {% endset %}
        {{ forget_months(months) }}
    {% endif %}
{% endmacro %}


{#- The last day that such a table still holds; one before all days where it holds none. -#}
{% macro last_day_kept() %}
    (
        select coalesce({{ dbt.last_day('max(date_month)', 'month') }}, cast('1900-01-01' as date))
        from {{ this }}
    )
{% endmacro %}


{#- Delete months, given by a query, from the table of the model. -#}
{% macro forget_months(months) %}
    {{- return(adapter.dispatch('forget_months', 'amazon_appstore')(months)) -}}
{% endmacro %}

{% macro default__forget_months(months) %}
    delete from {{ this }} where date_month in ({{ months }})
{% endmacro %}

{#- Spark's tables of files know no delete, but each month is a partition. -#}
{% macro spark__forget_months(months) %}
    {% set partitions = [] %}
    {% for month in run_query('select distinct date_month from (' ~ months ~ ')').columns[0].values() %}
        {% do partitions.append("partition (date_month = '" ~ month ~ "')") %}
    {% endfor %}
    {% if partitions %}
        alter table {{ this }} drop if exists {{ partitions | join(', ') }}
    {% endif %}
{% endmacro %}
