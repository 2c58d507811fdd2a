"""Chunks of typed columns become Singer messages or batch files."""
