{#- No two rows have the same values in `columns`; null counts as a value. -#}
{% test unique_grain(model, columns) %}
    select {{ columns | join(', ') }}
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
