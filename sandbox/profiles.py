"""Security profiles: who may sign in, and how often it may send requests."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from sandbox.reports import REPORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


@dataclass(kw_only=True, eq=False)
class Profile:
    """The security profile of a developer account, as the services see it."""

    client_id: str
    client_secret: str
    token_lifetime: float
    requests_per_second: int
    clock: Callable[[], float]
    """Seconds; measures tokens, the rate limit and faults that last for a time."""
    reports: Collection[str] = REPORTS
    """The reports that it may read."""
    _token_deadlines: dict[str, float] = field(default_factory=dict)
    _request_times: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def number(self) -> str:
        """The number with which the keys of the account's reports begin."""
        return str(int(hashlib.sha256(self.client_id.encode()).hexdigest()[:10], 16))

    def issue_token(self) -> str:
        """Issue an access token."""
        token = f"Atc|MQEBI{secrets.token_urlsafe(240)}"
        with self._lock:
            self._token_deadlines[token] = self.clock() + self.token_lifetime
        return token

    def revoke_tokens(self) -> None:
        """Refuse all tokens issued so far."""
        with self._lock:
            self._token_deadlines = dict.fromkeys(self._token_deadlines, float("-inf"))

    def has_issued(self, token: str) -> bool:
        """Return whether a token is this profile's, valid or not."""
        return token in self._token_deadlines

    def is_valid(self, token: str) -> bool:
        """Return whether a token of this profile is still valid."""
        return self.clock() < self._token_deadlines[token]

    def count_request(self) -> bool:
        """Count an API request; false if it exceeds the rate limit."""
        now, times = self.clock(), self._request_times
        with self._lock:
            while times and times[0] <= now - 1:
                times.popleft()
            if len(times) >= self.requests_per_second:
                return False
            times.append(now)
            return True
