"""Macros of the dbt package that need no warehouse."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest

MACROS = Path(__file__).parents[2] / "transform" / "macros"


class CompilerError(Exception):
    """What dbt raises for `exceptions.raise_compiler_error`."""


def _raise(message: str) -> None:
    raise CompilerError(message)


def load_macro(path: str, name: str, adapter: str) -> jinja2.runtime.Macro:
    """Return a macro as dbt would call it with an adapter."""
    template = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False).from_string(  # noqa: S701 - SQL
        (MACROS / path).read_text(encoding="utf-8")
    )
    context = {
        "target": SimpleNamespace(type=adapter),
        "exceptions": SimpleNamespace(raise_compiler_error=_raise),
    }
    macro: jinja2.runtime.Macro = getattr(template.make_module(context), name)
    return macro


@pytest.mark.parametrize("adapter", ["postgres", "duckdb", "spark", "snowflake", "bigquery"])
def test_supported_adapters_are_accepted(adapter: str) -> None:
    check = load_macro("staging/supported_adapter.sql", "require_supported_adapter", adapter)
    assert not check().strip()


@pytest.mark.parametrize("adapter", ["redshift", "sqlserver", "databricks"])
def test_other_adapters_are_refused_with_a_sentence(adapter: str) -> None:
    check = load_macro("staging/supported_adapter.sql", "require_supported_adapter", adapter)
    with pytest.raises(CompilerError, match=f"does not support the adapter {adapter}. Supported"):
        check()
