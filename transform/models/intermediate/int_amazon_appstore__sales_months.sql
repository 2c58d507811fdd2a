{{ config(materialized='table') }}

-- By the report's month and currency, too, for the comparison with paid earnings.
select
    source_relation,
    date_month,
    report_month,
    currency,
    cast(sum(estimated_earnings) as {{ dbt.type_numeric() }}) as estimated_earnings,
    cast(sum(report_lines) as {{ dbt.type_bigint() }}) as report_lines,
    cast(sum(report_fingerprint) as {{ dbt.type_bigint() }}) as report_fingerprint
from {{ ref('int_amazon_appstore__sales_lines') }}
group by
    source_relation,
    date_month,
    report_month,
    currency
