{#- The period that a line's file is of, as text: `2024-03`, or `2024` for a yearly earnings file. -#}
{% macro period_of_file(stream) -%}
    {%- set month = "substr(cast(report_month as " ~ dbt.type_string() ~ "), 1, 7)" -%}
    {{ "coalesce(report_period, " ~ month ~ ")" if stream == 'earnings' else month }}
{%- endmacro %}


{#- Whether a line has an amount, a number of units or a day that did not fit its column: it is null,
    and the cell is in `_rescued_data`. -#}
{% macro has_unread_values(stream) -%}
    {%- set values = {
        'sales': ['transaction_date', 'units', 'sales_price', 'estimated_earnings'],
        'subscriptions': ['date', 'active', 'started', 'ended', 'refunded'],
        'earnings': ['earnings_pre_tax_and_adjustments'],
    }[stream] -%}
    (
        _rescued_data is not null
        and ({% for value in values %}{{ value }} is null{% if not loop.last %} or {% endif %}{% endfor %})
    )
{%- endmacro %}
