{{ config(materialized='table') }}

select
    date_month,
    item_type = 'Subscription' as is_subscription,
    cast(sum(report_lines) as {{ dbt.type_bigint() }}) as report_lines,
    cast(sum(report_fingerprint) as {{ dbt.type_bigint() }}) as report_fingerprint
from {{ ref('stg_amazon_appstore__sales') }}
group by
    date_month,
    item_type = 'Subscription'
