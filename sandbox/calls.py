"""One request to the sandbox, while it is answered and afterwards."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import werkzeug
    from werkzeug.datastructures import Headers

    from sandbox.accounts import Account

Service = Literal["lwa", "api", "bucket"]


@dataclass(frozen=True)
class Call:
    """A request that is being answered: what it asks for, and on whose behalf."""

    http: werkzeug.Request
    service: Service
    account: Account | None
    report: str | None = None
    month: date | None = None
    time: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Request:
    """A request that was answered.

    `time` is when it arrived, on the clock of `time.monotonic`. `headers` can be looked up
    in any case. `status` is `None` when the connection was closed without an answer.
    `report` and `month` are what an API or bucket request asked for.
    """

    time: float
    service: Service
    method: str
    path: str
    query: Mapping[str, str]
    headers: Headers
    status: int | None
    client_address: tuple[str, int]
    report: str | None
    month: date | None
