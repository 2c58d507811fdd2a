{#-
    Incremental models are rebuilt by month and account. Before the query runs, a hook deletes the
    months whose report has changed; the query inserts the months that the table then lacks. Both run
    in one transaction where the warehouse has transactions.
-#}


{#- Source and month of every month in which the table `kept` does not hold what `report`, the months
    of the report, has now: new, restated or withdrawn. -#}
{% macro changed_months(report, kept) %}
    select
        source_relation,
        date_month
    from (
        select source_relation, date_month, report_lines, report_fingerprint
        from {{ report }}
        union all
        select source_relation, date_month, -report_lines, -report_fingerprint
        from {{ kept }}
    ) as compared
    group by
        source_relation,
        date_month
    having sum(report_lines) <> 0 or sum(report_fingerprint) <> 0
{% endmacro %}


{#- Hook of an incremental model: delete the months that have changed. -#}
{% macro forget_changed_months(report) %}
    {% if is_incremental() %}
        {{ forget_months(changed_months(report, this)) }}
    {% endif %}
{% endmacro %}


{#- Delete months, given by a query of source_relation and date_month, from the model's table. -#}
{% macro forget_months(months) %}
    {{- return(adapter.dispatch('forget_months', 'amazon_appstore')(months)) -}}
{% endmacro %}

{#- One key instead of two columns: Snowflake and BigQuery differ in what they take for `in`. -#}
{% macro default__forget_months(months) %}
    {% set key = dbt.concat(
        ['source_relation', "' '", 'cast(date_month as ' ~ dbt.type_string() ~ ')']
    ) %}
    delete from {{ this }}
    where {{ key }} in (select {{ key }} from ({{ months }}) as forgotten)
{% endmacro %}

{#- Spark cannot delete rows from tables of files, but each month of an account is a partition. -#}
{% macro spark__forget_months(months) %}
    {% set partitions = [] %}
    {% for row in run_query('select distinct * from (' ~ months ~ ') as forgotten') %}
        {% do partitions.append(
            "partition (source_relation = '" ~ row[0] | replace("'", "\\'")
            ~ "', date_month = '" ~ row[1] ~ "')"
        ) %}
    {% endfor %}
    {% if partitions %}
        alter table {{ this }} drop if exists {{ partitions | join(', ') }}
    {% endif %}
{% endmacro %}
