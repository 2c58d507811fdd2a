"""Security profiles: who may sign in, and how often it may send requests."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


@dataclass(frozen=True)
class Limits:
    """How long tokens and presigned URLs live (seconds), and the API's limit for an account."""

    token_lifetime: float = 3600
    url_lifetime: int = 300
    requests_per_second: int = 3
    clock: Callable[[], float] = time.monotonic
    """Seconds; measures tokens, the rate limit and faults that last for a time."""


class Profile:
    """The security profile of a developer account, as the services see it."""

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        attached: bool,
        reports: Collection[str],
        limits: Limits,
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.attached = attached
        self.reports = frozenset(reports)
        self.limits = limits
        # Amazon's object keys begin with a number that identifies the account.
        self.number = str(int(hashlib.sha256(client_id.encode()).hexdigest()[:10], 16))
        self._token_deadlines: dict[str, float] = {}
        self._request_times: deque[float] = deque()
        self._lock = threading.Lock()

    def issue_token(self) -> tuple[str, int]:
        """Issue an access token; returns it and its lifetime in whole seconds."""
        token = f"Atc|MQEBI{secrets.token_urlsafe(240)}"
        lifetime = self.limits.token_lifetime
        with self._lock:
            self._token_deadlines[token] = self.limits.clock() + lifetime
        return token, int(lifetime)

    def revoke_tokens(self) -> None:
        """Refuse all tokens issued so far."""
        with self._lock:
            self._token_deadlines = dict.fromkeys(self._token_deadlines, float("-inf"))

    def has_issued(self, token: str) -> bool:
        """Return whether a token is this profile's, valid or not."""
        return token in self._token_deadlines

    def is_valid(self, token: str) -> bool:
        """Return whether a token of this profile is still valid."""
        return self.limits.clock() < self._token_deadlines.get(token, float("-inf"))

    def count_request(self) -> bool:
        """Count an API request; false if it exceeds the rate limit."""
        now, times = self.limits.clock(), self._request_times
        with self._lock:
            while times and times[0] <= now - 1:
                times.popleft()
            if len(times) >= self.limits.requests_per_second:
                return False
            times.append(now)
            return True
