{#- Per account, month and currency, the measures of two sales models have the same sums. -#}
{% test adds_up_to(model, other) %}
    {%- set measures = sales_counts() + sales_amounts() + ['report_lines', 'report_fingerprint'] %}
    {%- set of_month = 'source_relation, date_month, currency' %}

    select {{ of_month }}
    from (
        select
            {{ of_month }},
            {{ measures | join(', ') }}
        from {{ model }}

        union all

        select
            {{ of_month }},
            {% for measure in measures %}
            -{{ measure }}{% if not loop.last %},{% endif %}
            {% endfor %}
        from {{ other }}
    ) as compared
    group by {{ of_month }}
    having {% for measure in measures -%}
        sum({{ measure }}) <> 0 {% if not loop.last %}or {% endif %}
    {%- endfor %}
{% endtest %}
