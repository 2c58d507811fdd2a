-- Sales by product and product kind.
{% from "macros.sql" import breakdown with context %}
{{ breakdown(
    {'vendor_sku': 'vendor_sku', 'asin': 'asin', 'item_name': 'item_name'},
    key="coalesce(asin, '') || ' ' || coalesce(vendor_sku, '')",
    shared=['item_type'],
) }}
