{{ config(enabled=var('amazon_appstore_time_spine')) }}

-- The days of the marts, each once. MetricFlow needs them to join and to fill.
select distinct date_day
from {{ ref('int_amazon_appstore__days') }}
