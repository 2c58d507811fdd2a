"""The page: figures, style, code and the charts' library in one HTML file."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import vl_convert

if TYPE_CHECKING:
    from datetime import datetime

    from report.figures import Figures

_HOME = Path(__file__).parent

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HOME / "templates"),
    undefined=jinja2.StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
# The filter `tojson` lets nothing through that HTML could take for a tag.
_TEMPLATES.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}

_EXPORT = "globalThis.vegaEmbed = vegaEmbed;"
"""What the page takes from the library; the bundle leaves out what this does not lead to."""


def render(figures: Figures, *, made_at: datetime) -> str:
    """Return the page as HTML; what it says is `figures`, and when they were read."""
    scripts = [] if figures.is_empty else [_library(), _script(_static("page.js"))]
    return _TEMPLATES.get_template("page.html").render(
        figures=figures,
        data=vars(figures),
        made_at=made_at,
        policy=_policy(scripts),
        scripts=scripts,
        style=_static("page.css"),
    )


def _static(name: str) -> str:
    return (_HOME / "static" / name).read_text(encoding="utf-8")


def _library() -> str:
    """Return Vega-Embed, Vega-Lite and Vega, which vl-convert has in it, as one module."""
    return _script(f"/*!\n{_static('licences.txt')}*/\n{vl_convert.javascript_bundle(_EXPORT)}")


def _script(code: str) -> str:
    """Return code that can stand in an element `script`: nothing in it ends the element."""
    return code.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def _policy(scripts: list[str]) -> str:
    """Return a Content Security Policy: these scripts alone run, and nothing is ever loaded."""
    sources = [f"'sha256-{_digest(script)}'" for script in scripts] or ["'none'"]
    return (
        f"default-src 'none'; script-src {' '.join(sources)}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
