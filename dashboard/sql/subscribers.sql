-- People who pay for a subscription, by day and app.
{% from "macros.sql" import levels with context %}
{{ levels(
    {'app': 'app_name'},
    levels=['subscribers'],
    flows=['new_subscribers', 'returning_subscribers', 'lost_subscribers'],
) }}
