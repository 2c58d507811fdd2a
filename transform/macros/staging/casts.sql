{#- Loaders create different types for the same stream: dates and times as text, amounts as text or
    floats, booleans as 0 and 1. What follows casts a column by the type that it has. -#}


{#- What a type of a warehouse is: text, date, timestamp, zoned timestamp, boolean or number. -#}
{% macro type_family(dtype) %}
    {% set type = dtype | lower %}
    {% if 'char' in type or type.startswith(('text', 'string')) %}
        {{ return('text') }}
    {% elif type == 'date' %}
        {{ return('date') }}
    {% elif 'with time zone' in type or type.startswith(('timestamptz', 'timestamp_tz', 'timestamp_ltz')) %}
        {{ return('zoned') }}
    {% elif type.startswith(('timestamp', 'datetime')) %}
        {{ return('timestamp') }}
    {% elif type.startswith('bool') %}
        {{ return('boolean') }}
    {% endif %}
    {{ return('number') }}
{% endmacro %}


{#- The name of a type in the warehouse. -#}
{% macro type_name(type) %}
    {{ return({
        'text': dbt.type_string(),
        'date': 'date',
        'timestamp': dbt.type_timestamp(),
        'numeric': dbt.type_numeric(),
        'integer': dbt.type_bigint(),
        'boolean': dbt.type_boolean(),
    }[type]) }}
{% endmacro %}


{#- A null of a type. -#}
{% macro null_of(type) -%}
    cast(null as {{ type_name(type) }})
{%- endmacro %}


{#- A loaded column as the type that the models expect. Text is null where it is empty. -#}
{% macro cast_loaded(column, type) -%}
    {%- set name, family = adapter.quote(column.name), type_family(column.dtype) -%}
    {%- set text = "nullif(" ~ name ~ ", '')" -%}
    {%- if family == 'zoned' %}{% set name = in_utc(name) %}{% endif -%}
    {%- if family != 'text' and type == 'boolean' and family != 'boolean' -%}
        {{ name }} <> 0
    {%- elif family != 'text' -%}
        cast({{ name }} as {{ type_name(type) }})
    {%- elif type == 'boolean' -%}
        lower({{ text }}) in ('true', 't', '1')
    {%- elif type == 'date' -%}
        cast(substr({{ text }}, 1, 10) as date)
    {%- elif type == 'timestamp' -%}
        {#- The tap writes UTC in seconds. The offset would be read differently by each warehouse. -#}
        cast(replace(substr({{ text }}, 1, 19), 'T', ' ') as {{ type_name(type) }})
    {%- else -%}
        cast({{ text }} as {{ type_name(type) }})
    {%- endif -%}
{%- endmacro %}


{#- A timestamp with time zone as one without, in UTC. -#}
{% macro in_utc(timestamp) %}
    {{- return(adapter.dispatch('in_utc', 'amazon_appstore')(timestamp)) -}}
{% endmacro %}

{% macro default__in_utc(timestamp) -%}
    timezone('UTC', {{ timestamp }})
{%- endmacro %}

{% macro snowflake__in_utc(timestamp) -%}
    cast(convert_timezone('UTC', {{ timestamp }}) as timestamp_ntz)
{%- endmacro %}
