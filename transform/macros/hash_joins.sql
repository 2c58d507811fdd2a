{#- Hook of all models: on tables without statistics, PostgreSQL joins by nested loops, or merges by the
    first of several columns, which takes minutes where a hash join takes a second. -#}
{% macro use_hash_joins() %}
    {{ return(
        'set local enable_nestloop = off; set local enable_mergejoin = off'
        if target.type == 'postgres' else ''
    ) }}
{% endmacro %}
