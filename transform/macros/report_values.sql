{#- Values whose spelling varies from report to report, in the documented spelling. -#}


{#- A text in lower case without spaces and punctuation. -#}
{% macro normalize_text(column) -%}
    lower(replace(replace(replace(replace({{ column }}, '-', ''), ' ', ''), '_', ''), '.', ''))
{%- endmacro %}


{#- Type of an item as documented; others stay as they are. -#}
{% macro normalize_item_type(column) %}
    case {{ normalize_text(column) }}
        when 'application' then 'Application'
        when 'inapp' then 'In-App'
        when 'ingame' then 'In-Game'
        when 'game' then 'Game'
        when 'extension' then 'Extension'
        when 'subscription' then 'Subscription'
        when 'inappsubscription' then 'Subscription'
        else {{ column }}
    end
{% endmacro %}


{#- Subscription terms: name, length in days or calendar months, and how many make a year. -#}
{% macro subscription_terms() %}
    {{ return([
        ('Weekly', 7, none, 52),
        ('BiWeekly', 14, none, 26),
        ('Monthly', none, 1, 12),
        ('BiMonthly', none, 2, 6),
        ('Quarterly', none, 3, 4),
        ('SemiAnnually', none, 6, 2),
        ('Annually', none, 12, 1),
    ]) }}
{% endmacro %}


{#- Term of a subscription as documented; others stay as they are. -#}
{% macro normalize_term(column) %}
    case {{ normalize_text(column) }}
        {% for name, days, months, terms_a_year in subscription_terms() %}
        when '{{ name | lower }}' then '{{ name }}'
        {% endfor %}
        when 'semiannual' then 'SemiAnnually'
        when 'annual' then 'Annually'
        when 'yearly' then 'Annually'
        else {{ column }}
    end
{% endmacro %}


{#- The terms as a query. -#}
{% macro select_terms() %}
    {% for name, days, months, terms_a_year in subscription_terms() %}
    select
        '{{ name }}' as subscription_duration,
        cast({{ days or 'null' }} as {{ dbt.type_int() }}) as term_days,
        cast({{ months or 'null' }} as {{ dbt.type_int() }}) as term_months,
        {{ terms_a_year }} as terms_a_year
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
{% endmacro %}
