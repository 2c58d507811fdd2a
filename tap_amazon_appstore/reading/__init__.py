"""A report file becomes chunks of typed columns."""
