-- Sales by device: null is a device that the report does not have, '' are the others.
{% from "macros.sql" import breakdown with context %}
{{ breakdown({'device': 'device'}, key="coalesce(device, '')", other="''") }}
