{#- The lines of a report that stand. No loader deletes any: lines of an older file than their month's
    newest are lines that Amazon has withdrawn. -#}
{% macro standing_lines(report) %}
    select report.*
    from {{ report }} as report
    inner join (
        select
            report_month,
            max(report_last_modified) as report_last_modified
        from {{ report }}
        group by report_month
    ) as newest
        on report.report_month = newest.report_month
        and report.report_last_modified = newest.report_last_modified
{% endmacro %}
