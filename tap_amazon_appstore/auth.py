"""Login with Amazon (LWA): client credentials become an access token."""

from __future__ import annotations

import json
import re
import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from requests import codes
from singer_sdk.authenticators import OAuthAuthenticator
from singer_sdk.exceptions import FatalSyncError
from typing_extensions import override

from tap_amazon_appstore.connection_errors import FatalConnectionError
from tap_amazon_appstore.http import Session, check_status
from tap_amazon_appstore.patience import Patience

if TYPE_CHECKING:
    import requests

SCOPE = "adx_reporting::appstore:marketer"

# A token is renewed when a tenth of its life is left: it must not expire on the way.
_USABLE_LIFE = 0.9

# What a header can carry.
_TOKEN = re.compile("[!-~]+")

# Longest credible life of a token, in seconds; Amazon's tokens live an hour.
_MAX_LIFE = 24 * 3600

_HINTS = {
    "invalid_client": (
        "Check client_id and client_secret against the Web Settings tab of the security profile."
    ),
    "invalid_scope": (
        "The security profile is not attached to the Reporting API: an administrator attaches it "
        "in the Developer Console under My Settings > API Access > Reporting API > Attach."
    ),
}


class LoginWithAmazon(OAuthAuthenticator):
    """Adds a bearer token to requests; all threads share one token."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        auth_url: str,
        user_agent: str,
        patience: Patience | None = None,
    ) -> None:
        """Prepare to sign in; the first request does.

        Args:
            client_id: the security profile's client id.
            client_secret: the security profile's client secret.
            auth_url: the token endpoint.
            user_agent: the User-Agent header.
            patience: how long transient failures are waited for.
        """
        super().__init__(
            client_id=client_id,
            client_secret=client_secret,
            auth_endpoint=auth_url,
            oauth_scopes=SCOPE,
            default_expiration=3600,
        )
        self._lock = threading.RLock()
        self._patience = patience or Patience()
        self._http = Session(user_agent, self._patience)

    @property
    @override
    def oauth_request_body(self) -> dict[str, Any]:
        """The form that asks for a token."""
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": self.oauth_scopes,
        }

    @override
    def authenticate_request(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token, fetched first if necessary; other threads wait for it."""
        with self._lock:
            return super().authenticate_request(request)

    def discard_token(self, request: requests.PreparedRequest) -> None:
        """Stop using the token of a refused request, unless another thread has renewed it."""
        with self._lock:
            if request.headers.get("Authorization") == self.auth_headers.get("Authorization"):
                self.last_refreshed = None

    @override
    def is_token_valid(self) -> bool:
        """Return whether the token will live long enough for a request."""
        if self.last_refreshed is None or self.expires_in is None:
            return False
        life = timedelta(seconds=self.expires_in * _USABLE_LIFE)
        return datetime.now(timezone.utc) - self.last_refreshed < life

    @override
    def update_access_token(self) -> None:
        """Fetch a token.

        Raises:
            FatalConnectionError: there is no token, with what to check.
        """
        try:
            self._patience.retry(self._request_token)
        except FatalConnectionError:
            raise
        except FatalSyncError as error:
            raise FatalConnectionError(*error.args) from None

    def _request_token(self) -> None:
        requested_at = datetime.now(timezone.utc)
        answer = self._http.ask("POST", self.auth_endpoint, data=self.oauth_request_body)
        check_status(answer.status, answer.headers, "Login with Amazon")
        content = _json_object(answer.body)
        token = content.get("access_token")
        if not (answer.status == codes.ok and isinstance(token, str) and _TOKEN.fullmatch(token)):
            raise FatalConnectionError(_refusal(answer.status, content.get("error")))
        self.access_token = token
        self.expires_in = _seconds(content.get("expires_in")) or self._default_expiration
        self.last_refreshed = requested_at


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _seconds(value: object) -> int | None:
    """Return a number of seconds from 1 to a day, or None for anything else."""
    try:
        seconds = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 < seconds <= _MAX_LIFE else None


def _refusal(status: int, error: object) -> str:
    """Return why there is no token, by the error's code: its description is free text."""
    if isinstance(error, str) and re.fullmatch("[a-z_]{1,40}", error):
        hint = _HINTS.get(error, "Check client_id, client_secret and auth_url.")
        return f"Login with Amazon: sign-in failed ({error}). {hint}"
    return f"Login with Amazon: HTTP {status}, no token in the response. Check auth_url."
