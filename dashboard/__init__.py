"""A page to look at: one HTML file made from the marts of the dbt package."""
