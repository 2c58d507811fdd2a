-- Every file of a report of which the raw tables hold lines, withdrawn ones included.
{% for stream in ['sales', 'subscriptions', 'earnings'] %}
select
    source_relation,
    cast('{{ stream }}' as {{ dbt.type_string() }}) as stream,
    report_period,
    report_month,
    report_last_modified,
    count(*) as report_lines,
    cast(sum(is_rescued) as {{ dbt.type_bigint() }}) as rescued_lines,
    cast(sum(is_unread) as {{ dbt.type_bigint() }}) as unread_lines
from (
    select
        source_relation,
        {{ period_of_file(stream) }} as report_period,
        report_month,
        report_last_modified,
        case when _rescued_data is null then 0 else 1 end as is_rescued,
        case when {{ has_unread_values(stream) }} then 1 else 0 end as is_unread
    from (
        {{ loaded_lines(stream) }}
    ) as lines
) as {{ stream }}
group by
    source_relation,
    report_period,
    report_month,
    report_last_modified
{% if not loop.last %}
union all
{% endif %}
{% endfor %}
