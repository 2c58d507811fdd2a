-- Monthly recurring revenue and its movements, by day, app and currency.
{% from "macros.sql" import levels with context %}
{{ levels(
    {'app': 'app_name', 'currency': 'currency'},
    levels=['mrr', 'earnings_mrr', 'subscribers', 'subscriptions'],
    flows=['new_mrr', 'expansion_mrr', 'reactivated_mrr', 'contraction_mrr', 'churned_mrr'],
) }}
