{{ config(
    materialized='table' if var('amazon_appstore_exchange_rates') else 'incremental',
    partition_by=['source_relation', 'date_month'] if target.type == 'spark' else none,
    pre_hook=[
        "{{ amazon_appstore.forget_changed_months(ref('int_amazon_appstore__sales_months')) }}",
        "{{ amazon_appstore.forget_outdated_flags() }}",
    ]
) }}

{{ sales_report(dimensions=['asin', 'vendor_sku', 'item_type'], names=['item_name']) }}
