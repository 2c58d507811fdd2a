-- Sales by country: null is a country that the report does not have, '' are the others.
{% from "macros.sql" import breakdown with context %}
{{ breakdown({'country': 'country_short'}, key="coalesce(country_short, '')", other="''") }}
