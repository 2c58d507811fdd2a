"""Login with Amazon (LWA): client credentials become an access token."""

from __future__ import annotations

import re
import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import requests
from singer_sdk.authenticators import OAuthAuthenticator
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_amazon_appstore.http import is_transient, retry, send

SCOPE = "adx_reporting::appstore:marketer"

# A token is renewed when a tenth of its life is left: it must not die on the way.
_USABLE_LIFE = 0.9

# What a header can carry.
_TOKEN = re.compile("[!-~]+")

# Seconds of life that are believed; Amazon's tokens live an hour.
_MAX_LIFE = 24 * 3600

_HOW_TO_ATTACH = (
    "an administrator attaches the security profile in the Developer Console under "
    "Settings > API Access > Reporting API > Attach"
)

_HINTS = {
    "invalid_client": (
        "check client_id and client_secret against the Web Settings tab of the security profile"
    ),
    "invalid_scope": f"the profile is not attached to the Reporting API: {_HOW_TO_ATTACH}",
}


class LoginWithAmazon(OAuthAuthenticator):
    """Adds a bearer token to requests; one token serves all threads."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        auth_url: str,
        user_agent: str | None = None,
    ) -> None:
        """Prepare to sign in; the first request does.

        Args:
            client_id: the security profile's client id.
            client_secret: the security profile's client secret.
            auth_url: the token endpoint.
            user_agent: what the tap calls itself.
        """
        super().__init__(
            client_id=client_id,
            client_secret=client_secret,
            auth_endpoint=auth_url,
            oauth_scopes=SCOPE,
            default_expiration=3600,
        )
        self._lock = threading.RLock()
        # The SDK's session tries again by itself, and waits as long as any `Retry-After` says.
        self._session = requests.Session()
        if user_agent:
            self._session.headers["User-Agent"] = user_agent

    @property
    def oauth_request_body(self) -> dict[str, Any]:
        """The form that asks for a token."""
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": self.oauth_scopes,
        }

    def authenticate_request(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token, fetched first if need be; threads that come meanwhile wait for it."""
        with self._lock:
            return super().authenticate_request(request)

    def discard_token(self, request: requests.PreparedRequest) -> None:
        """Use the token of a refused request no more, unless another thread has renewed it."""
        with self._lock:
            if request.headers.get("Authorization") == self.auth_headers.get("Authorization"):
                self.last_refreshed = None

    def is_token_valid(self) -> bool:
        """Tell whether the token will live long enough for a request."""
        if self.last_refreshed is None or self.expires_in is None:
            return False
        life = timedelta(seconds=self.expires_in * _USABLE_LIFE)
        return datetime.now(timezone.utc) - self.last_refreshed < life

    @retry
    def update_access_token(self) -> None:
        """Fetch a token.

        Raises:
            FatalSyncError: Login with Amazon refused, with what to check.
        """
        requested_at = datetime.now(timezone.utc)
        response = send(self._session, "POST", self.auth_endpoint, data=self.oauth_request_body)
        with response:
            if is_transient(response):
                message = f"Login with Amazon answered {response.status_code}"
                raise RetriableAPIError(message, response)
            answer = _json_object(response)
        token = answer.get("access_token")
        if not (response.ok and isinstance(token, str) and _TOKEN.fullmatch(token)):
            raise FatalAPIError(_refusal(response.status_code, answer.get("error")))
        self.access_token = token
        self.expires_in = _seconds(answer.get("expires_in")) or self._default_expiration
        self.last_refreshed = requested_at


def _json_object(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _seconds(value: object) -> int | None:
    """Return a number of seconds from 1 to a day, or None for anything else."""
    try:
        seconds = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 < seconds <= _MAX_LIFE else None


def _refusal(status: int, error: object) -> str:
    """Say why there is no token: by the error's code alone, for its description is free text."""
    if isinstance(error, str) and re.fullmatch("[a-z_]{1,40}", error):
        hint = _HINTS.get(error, "check client_id, client_secret and auth_url")
        return f"Login with Amazon refused to sign in ({error}); {hint}"
    return f"auth_url answered {status} and no token; check auth_url"
