-- Subscriptions as Amazon counts them, by day and app.
{% from "macros.sql" import levels with context %}
{{ levels(
    {'app': 'app_name'},
    levels=['active', 'paid_active', 'trial_active'],
    flows=[
        'started', 'ended', 'refunded', 'paid_started', 'paid_ended', 'trial_started',
        'trial_ended',
    ],
) }}
