{{ config(materialized='table') }}

-- What subscribers paid on a day, by the month of their first paid charge; null where a line belongs to
-- nobody who has paid.
select
    source_relation,
    date_day,
    app_name,
    currency,
    {{ month_of('first_paid_on') }} as cohort_month,
    cast(sum(sales_price) as {{ dbt.type_numeric() }}) as net_sales,
    cast(sum(estimated_earnings) as {{ dbt.type_numeric() }}) as estimated_earnings,
    cast(sum(case when is_new then sales_price else 0 end) as {{ dbt.type_numeric() }})
        as new_net_sales,
    cast(sum(case when is_new then estimated_earnings else 0 end) as {{ dbt.type_numeric() }})
        as new_earnings,
    cast(sum(case when is_new and is_paid then 1 else 0 end) as {{ dbt.type_bigint() }})
        as new_subscribers
from {{ ref('int_amazon_appstore__subscription_lines') }}
group by
    source_relation,
    date_day,
    app_name,
    currency,
    {{ month_of('first_paid_on') }}
