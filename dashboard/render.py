"""The page: data, style, code and the charts' library in one HTML file."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import vl_convert

from dashboard.data import DETAILS, is_empty, pack, read_data

if TYPE_CHECKING:
    from datetime import datetime

    from dashboard.data import Data
    from dashboard.warehouse import Warehouse

LARGEST = 2_500_000
"""Bytes that the page may have."""

_HOME = Path(__file__).parent

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HOME / "templates"),
    undefined=jinja2.StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)

_EXPORT = "globalThis.vegaEmbed = vegaEmbed;"
"""What the page takes from the library; the bundle leaves out what this does not lead to."""


def make_page(warehouse: Warehouse, made_at: datetime) -> tuple[str, list[str]]:
    """Return the page as HTML, with as much detail as fits, and the marts that do not exist.

    Raises:
        WarehouseError: a mart cannot be read.
    """
    for detail in DETAILS:
        data = read_data(warehouse, detail)
        page = render(data, made_at)
        if len(page.encode()) <= LARGEST:
            break
    return page, data["missing"]


def render(data: Data, made_at: datetime) -> str:
    """Return the page of some data as HTML."""
    empty = is_empty(data)
    scripts = [] if empty else [_script(_static("page.js")), _library()]
    return _TEMPLATES.get_template("page.html").render(
        data=pack(data, made_at),
        is_empty=empty,
        missing=data["missing"],
        made_at=made_at,
        policy=_policy(scripts),
        scripts=scripts,
        style=_static("page.css"),
    )


def _static(name: str) -> str:
    return (_HOME / "static" / name).read_text(encoding="utf-8")


@cache
def _library() -> str:
    """Return Vega-Embed, Vega-Lite and Vega, which vl-convert has in it, as one module."""
    return _script(f"/*!\n{_static('licences.txt')}*/\n{vl_convert.javascript_bundle(_EXPORT)}")


def _script(code: str) -> str:
    """Return code that can be in an element `script`: nothing in it ends the element."""
    return code.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def _policy(scripts: list[str]) -> str:
    """Return a Content Security Policy: only these scripts run, and nothing is ever loaded."""
    sources = [f"'sha256-{_digest(script)}'" for script in scripts] or ["'none'"]
    return (
        f"default-src 'none'; script-src {' '.join(sources)}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
