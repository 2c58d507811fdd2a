{#- Every line of a stream that is loaded, of all accounts, in columns of the same types everywhere.
    A column that a table lacks, such as deselected personal data, is null; without any table there
    are no rows. -#}
{% macro loaded_lines(stream) %}
    {% do require_supported_adapter() %}
    {#- For the lineage: with several accounts, their tables are read by name. -#}
    {% do source('amazon_appstore', stream) %}
    {% set columns, selects = report_columns(stream), [] %}
    {% if execute %}
        {% for account in account_sources() %}
            {% set table = loaded_table(stream, account) %}
            {% if table is not none %}
                {% do selects.append(lines_of_table(table, account['name'], columns)) %}
            {% elif stream == 'sales' %}
                {% do log(
                    "amazon_appstore: found no table " ~ var('amazon_appstore_sales_identifier')
                    ~ " in schema " ~ account['schema'] ~ ": the sales of this account are missing."
                    ~ " Check amazon_appstore_schema or amazon_appstore_sources.",
                    info=true
                ) %}
            {% endif %}
        {% endfor %}
    {% endif %}
    {{ return((selects or [no_lines(columns)]) | join('\nunion all\n')) }}
{% endmacro %}


{#- The lines of one table. `amazon_appstore_account_column` tells accounts in one table apart. -#}
{% macro lines_of_table(table, account, columns) %}
    {%- set found = {} %}
    {%- for column in adapter.get_columns_in_relation(table) %}
        {%- do found.update({column.name | lower: column}) %}
    {%- endfor %}
    {%- set account_column = found.get(var('amazon_appstore_account_column') | lower) %}
    {%- set name %}cast('{{ account | replace("'", "''") }}' as {{ type_name('text') }}){% endset %}
    select
        {% if account_column -%}
        coalesce({{ cast_loaded(account_column, 'text') }}, {{ name }})
        {%- else -%}
        {{ name }}
        {%- endif %} as source_relation
        {%- for column, type in columns.items() %},
        {{ cast_loaded(found[column], type) if column in found else null_of(type) }} as {{ column }}
        {%- endfor %}
    from {{ table }}
{%- endmacro %}


{#- The same columns without a row. -#}
{% macro no_lines(columns) %}
    select
        {{ null_of('text') }} as source_relation
        {%- for column, type in columns.items() %},
        {{ null_of(type) }} as {{ column }}
        {%- endfor %}
    limit 0
{%- endmacro %}


{#- The lines of a stream that Amazon has not withdrawn. Loaders delete none: lines of an older file than
    the newest of their period have been withdrawn. The same text twice, because PostgreSQL writes a
    CTE that is used twice to disk, with all its columns. -#}
{% macro standing_lines(stream, period='report_month') %}
    {%- set loaded = loaded_lines(stream) %}
    select lines.*
    from (
        {{ loaded }}
    ) as lines
    inner join (
        select
            source_relation as newest_source_relation,
            {{ period }} as newest_period,
            max(report_last_modified) as newest_last_modified
        from (
            {{ loaded }}
        ) as files
        group by
            source_relation,
            {{ period }}
    ) as newest
        on lines.source_relation = newest.newest_source_relation
        and {{ period }} = newest.newest_period
        and lines.report_last_modified = newest.newest_last_modified
{% endmacro %}
