{#- Per month and currency, the measures of two sales models have the same sums. -#}
{% test adds_up_to(model, other) %}
    {%- set measures = sales_counts() + sales_amounts() + ['report_lines', 'report_fingerprint'] %}

    select
        date_month,
        currency
    from (
        select
            date_month,
            currency,
            {{ measures | join(', ') }}
        from {{ model }}

        union all

        select
            date_month,
            currency,
            {% for measure in measures %}
            -{{ measure }}{% if not loop.last %},{% endif %}
            {% endfor %}
        from {{ other }}
    ) as compared
    group by
        date_month,
        currency
    having {% for measure in measures -%}
        sum({{ measure }}) <> 0 {% if not loop.last %}or {% endif %}
    {%- endfor %}
{% endtest %}
