"""One request to the sandbox, while it is answered and afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import werkzeug
from werkzeug import Response

if TYPE_CHECKING:
    from sandbox.accounts import Account
    from sandbox.reports import Period

Service = Literal["lwa", "api", "bucket"]
Answer = Callable[[], Response]


class Request(werkzeug.Request):
    """A request: what it asks for, for which account, and how it was answered."""

    service: Service
    account: Account | None
    time: float
    """When it arrived, on the clock of `time.monotonic`."""
    report: str | None = None
    month: Period | None = None
    status: int | None = None
    """`None` too when the connection was closed without an answer."""
    url_prefix: str = ""
    url_lifetime: int = 300
    """What a fault may change in the presigned URL: path (prefix) and lifetime in seconds."""


Behaviour = Callable[[Request, Answer], Response]
"""Answers a request; the second argument answers it as usual."""
