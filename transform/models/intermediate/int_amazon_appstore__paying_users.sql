{{ config(materialized='table') }}

-- Users who paid in a month, and what they paid less what they got back in it.
with users as (
    select
        source_relation,
        date_month,
        app_name,
        currency,
        app_user_id,
        sum(sales_price) as net_sales
    from {{ ref('int_amazon_appstore__sales_lines') }}
    where app_user_id is not null and sales_price <> 0
    group by
        source_relation,
        date_month,
        app_name,
        currency,
        app_user_id
    having max(case when transaction_type = 'charge' then sales_price else 0 end) > 0
)

select
    source_relation,
    date_month,
    app_name,
    currency,
    cast(count(*) as {{ dbt.type_bigint() }}) as paying_users,
    cast(sum(net_sales) as {{ dbt.type_numeric() }}) as net_sales
from users
group by
    source_relation,
    date_month,
    app_name,
    currency
