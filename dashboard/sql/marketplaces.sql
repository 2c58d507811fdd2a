-- Subscriptions as Amazon counts them, by day, app and marketplace.
{% from "macros.sql" import levels with context %}
{{ levels(
    {'app': 'app_name', 'marketplace': 'marketplace'},
    levels=['active', 'paid_active', 'trial_active'],
    flows=['started', 'ended'],
) }}
