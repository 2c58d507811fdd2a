"""How long the tap waits for what may heal: attempts, backoff, `Retry-After`, slow transfers."""

from __future__ import annotations

import logging
import random
import time
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar

from singer_sdk.exceptions import FatalAPIError, FatalSyncError, RetriableSyncError
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

RESUME = "Run again to resume."

# Seconds that no server asks for: more would not fit into a date.
_ENDLESS = 10**9

_TOO_MANY_REQUESTS = 429

_log = logging.getLogger(__name__)

subject: ContextVar[str] = ContextVar("subject", default="Login with Amazon")
"""What the thread's warnings and errors are about, such as `sales 2024-03`."""


class TransientError(RetriableSyncError):
    """A request failed in a way that may heal."""

    def __init__(
        self,
        cause: str,
        *,
        status: int | None = None,
        retry_after: str | None = None,
        advice: str = RESUME,
    ) -> None:
        """Describe the failure.

        Args:
            cause: such as `HTTP 503 from the bucket`.
            status: the response's status code, if there was a response.
            retry_after: its `Retry-After` header.
            advice: what to do if it does not heal.
        """
        super().__init__(cause)
        self.is_rate_limit = status == _TOO_MANY_REQUESTS
        self.retry_after = _parse_retry_after(retry_after)
        self.advice = advice


class RateLimitError(FatalAPIError):
    """The account is rate-limited, longer than the tap waits."""


@dataclass(frozen=True)
class Patience:
    """How often and how long requests are repeated, in seconds; and the clock for it.

    A rate limit is waited for as long as `rate_limit`; any other transient failure is given up
    after at least `attempts` attempts and at least `outage`.
    """

    attempts: int = 5
    outage: float = 30
    rate_limit: float = 300
    longest_retry_after: float = 300
    """The longest `Retry-After` of a response other than 429."""

    connect_timeout: float = 10
    read_timeout: float = 60
    """Longest silence within a response."""

    slow_period: float = 60
    slowest_rate: float = 1024
    """Bytes a second; a transfer that stays below them for `slow_period` has failed."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    jitter: Callable[[], float] = random.random

    def retry(self, function: Callable[[], _T]) -> _T:
        """Call a function until it raises no `RetriableSyncError`, or patience is exhausted.

        Raises:
            FatalSyncError: the last failure, how often it was tried, and what to do.
        """
        # When it failed: by a rate limit, and otherwise.
        failures: dict[bool, list[float]] = {True: [], False: []}
        while True:
            try:
                return function()
            except RetriableSyncError as error:
                times = failures[getattr(error, "is_rate_limit", False)]
                times.append(self.clock())
                wait = self._wait_after(error, len(times), times[-1] - times[0])
                _log.warning(
                    "%s: attempt %d failed (%s); retrying in %.1f s",
                    subject.get(),
                    sum(map(len, failures.values())),
                    error,
                    wait,
                )
            self.sleep(wait)

    def _wait_after(self, error: RetriableSyncError, attempts: int, elapsed: float) -> float:
        """Return the seconds to wait after a failure, or raise why not to."""
        tried = f"{error}; {attempts} attempts in {elapsed:.0f} s"
        asked: float = getattr(error, "retry_after", 0.0)
        if getattr(error, "is_rate_limit", False):
            if elapsed >= self.rate_limit:
                message = (
                    f"{tried}. Lower requests_per_second if other runs share the account's "
                    f"rate limit. {RESUME}"
                )
                raise RateLimitError(message) from None
            if asked > self.rate_limit - elapsed:
                raise RateLimitError(_too_long(error, asked)) from None
            return max(asked, 1.5 ** (attempts - 1) * (1 + self.jitter() / 5))
        if asked > self.longest_retry_after:
            raise FatalAPIError(_too_long(error, asked)) from None
        if attempts >= self.attempts and elapsed >= self.outage:
            message = f"{tried}. {getattr(error, 'advice', RESUME)}"
            raise FatalSyncError(message) from None
        return max(asked, 2.0 ** (attempts - 1) * (1 + self.jitter() / 2))


def _too_long(error: Exception, seconds: float) -> str:
    until = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return f"{error} with Retry-After: {seconds:.0f} s. Run again after {until:%Y-%m-%d %H:%M} UTC."


def _parse_retry_after(header: str | None) -> float:
    """Return the seconds of a `Retry-After` header, a number or a date; 0 if it is neither."""
    try:
        return Retry(retry_after_max=_ENDLESS).parse_retry_after(header) if header else 0
    except (InvalidHeader, ValueError, OverflowError):
        return 0
