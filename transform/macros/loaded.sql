{#- Whether a loader has made a table: a stream that is not selected has none. -#}
{% macro has_table(relation) %}
    {{ return(not execute or load_relation(relation) is not none) }}
{% endmacro %}


{#- A column of the tap's that may have been deselected because it is personal data: null then. -#}
{% macro if_loaded(relation, column) %}
    {%- set columns = adapter.get_columns_in_relation(relation) if execute else [] -%}
    {%- if columns and column not in columns | map(attribute='name') | map('lower') -%}
        {{ return('cast(null as ' ~ dbt.type_string() ~ ')') }}
    {%- endif -%}
    {{ return(column) }}
{% endmacro %}
