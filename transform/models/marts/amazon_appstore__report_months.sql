with files as (
    select * from {{ ref('stg_amazon_appstore__report_files') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by source_relation, stream, report_period
            order by report_last_modified desc
        ) as place,
        sum(report_lines) over (partition by source_relation, stream, report_period) as held_lines
    from files
)

select
    source_relation,
    stream as report,
    report_period,
    report_month,
    report_last_modified,
    cast(report_lines as {{ dbt.type_bigint() }}) as report_lines,
    cast(held_lines - report_lines as {{ dbt.type_bigint() }}) as withdrawn_lines,
    rescued_lines,
    unread_lines,
    -- The figures of a month are final about 30 days after it.
    cast(report_last_modified as date) > {{ dbt.dateadd(
        'day', 30, dbt.last_day(
            "case when length(report_period) = 4 then cast("
            ~ dbt.dateadd('month', 11, 'report_month')
            ~ " as date) else report_month end", 'month'
        )
    ) }} as is_final
from ranked
where place = 1
