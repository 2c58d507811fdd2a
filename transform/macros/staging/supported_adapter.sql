{#- Stop where the SQL of the models has not been tried. -#}
{% macro require_supported_adapter() %}
    {% set supported = ['postgres', 'duckdb', 'spark', 'snowflake', 'bigquery'] %}
    {% if target.type not in supported %}
        {{ exceptions.raise_compiler_error(
            "The package amazon_appstore does not support the adapter " ~ target.type
            ~ ". Supported are " ~ supported | join(', ') ~ "."
        ) }}
    {% endif %}
{% endmacro %}
