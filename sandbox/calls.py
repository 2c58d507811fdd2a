"""One request to the sandbox, while it is answered and afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    import werkzeug
    from werkzeug.datastructures import Headers

    from sandbox.profiles import Profile
    from sandbox.reports import Period

Service = Literal["lwa", "api", "bucket"]
Answer = Callable[[], Response]
Behaviour = Callable[["Call", Answer], Response]
"""Answers a call; the second argument answers it as usual."""


class _WithPeriod:
    period: Period | None

    @property
    def month(self) -> date | None:
        """The first day of the month that was asked for."""
        return self.period if isinstance(self.period, date) else None

    @property
    def year(self) -> int | None:
        """The year that was asked for, in the yearly form of `earnings`."""
        return self.period if isinstance(self.period, int) else None


@dataclass
class Call(_WithPeriod):
    """A request that is being answered: what it asks for, and for which account."""

    http: werkzeug.Request
    service: Service
    profile: Profile | None
    report: str | None = None
    period: Period | None = None
    sign_in_url: str = ""
    """A web page on another host than the API's."""
    url_prefix: str = ""
    url_lifetime: int | None = None
    """What a fault may change in the presigned URL: path (prefix) and lifetime in seconds."""
    time: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Request(_WithPeriod):
    """A request that was answered.

    `time` is when it arrived, on the clock of `time.monotonic`. `headers` can be looked up
    in any case. `status` is `None` when the connection was closed without an answer.
    `report`, `month` and `year` are what an API or bucket request asked for.
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
    period: Period | None
