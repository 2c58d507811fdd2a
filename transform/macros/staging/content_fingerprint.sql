{#- A number made from a row's values and the variables, to be summed by month: where the sum has
    changed, the month is built again. Ten digits, so that a bigint holds the sum of any report. -#}
{% macro content_fingerprint(columns) %}
    {%- set variables = {} %}
    {%- for name in [
        'amazon_appstore_exchange_rates',
        'amazon_appstore_reporting_currency',
        'amazon_appstore_renewal_grace_days',
        'amazon_appstore_lag_days',
        'amazon_appstore_exchange_rate_days',
        'amazon_appstore_trial_conversion_scope',
    ] %}
        {%- do variables.update({name: var(name)}) %}
    {%- endfor %}
    {%- set variables = "'" ~ local_md5(tojson(variables, sort_keys=true)) ~ "'" %}
    {{- return(adapter.dispatch('content_fingerprint', 'amazon_appstore')(
        ["cast(" ~ variables ~ " as " ~ dbt.type_string() ~ ")"] + columns
    )) -}}
{% endmacro %}

{% macro postgres__content_fingerprint(columns) -%}
    hash_record_extended(row({{ columns | join(', ') }}), 0) % 10000000000
{%- endmacro %}

{% macro duckdb__content_fingerprint(columns) -%}
    cast(hash({{ columns | join(', ') }}) % 10000000000 as bigint)
{%- endmacro %}

{% macro snowflake__content_fingerprint(columns) -%}
    mod(hash({{ columns | join(', ') }}), 10000000000)
{%- endmacro %}

{% macro bigquery__content_fingerprint(columns) -%}
    mod(farm_fingerprint(to_json_string(struct({{ columns | join(', ') }}))), 10000000000)
{%- endmacro %}

{#- Spark leaves nulls out, so that a value in another column would not count as a change. -#}
{% macro spark__content_fingerprint(columns) -%}
    xxhash64(
        {%- for column in columns %}
        coalesce(cast({{ column }} as string), ''){% if not loop.last %},{% endif %}
        {%- endfor %}
    ) % 10000000000
{%- endmacro %}
