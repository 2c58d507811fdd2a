{#- The accounts to read: a list of name, database and schema. Without the variable there is one. -#}
{% macro account_sources() %}
    {% set accounts = [] %}
    {% for account in var('amazon_appstore_sources') or [{'schema': var('amazon_appstore_schema')}] %}
        {% if not account.get('schema') %}
            {{ exceptions.raise_compiler_error(
                "amazon_appstore_sources: each source needs a schema, for example "
                ~ "{name: games, schema: tap_games}; found " ~ account
            ) }}
        {% endif %}
        {% set name = account.get('name') or account['schema'] %}
        {% if name in accounts | map(attribute='name') %}
            {{ exceptions.raise_compiler_error(
                "amazon_appstore_sources: two sources are named " ~ name ~ "; give each its own name"
            ) }}
        {% endif %}
        {% do accounts.append({
            'name': name,
            'schema': account['schema'],
            'database': account.get('database')
                or var('amazon_appstore_database')
                or target.database,
        }) %}
    {% endfor %}
    {{ return(accounts) }}
{% endmacro %}


{#- The table of a stream in an account's schema, or none where the loader has not created it. -#}
{% macro loaded_table(stream, account) %}
    {{ return(load_relation(api.Relation.create(
        database=account['database'] if target.type != 'spark' else none,
        schema=account['schema'],
        identifier=var('amazon_appstore_' ~ stream ~ '_identifier'),
    ))) }}
{% endmacro %}


{#- Whether any account has a table of a stream: one that is not selected has none. -#}
{% macro has_table(stream) %}
    {% if execute %}
        {% for account in account_sources() if loaded_table(stream, account) is not none %}
            {{ return(true) }}
        {% endfor %}
    {% endif %}
    {{ return(not execute) }}
{% endmacro %}
