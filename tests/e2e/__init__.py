"""Tests with Meltano, PostgreSQL, dbt, a browser, and the built package."""
