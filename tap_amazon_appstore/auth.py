"""Login with Amazon (LWA): client credentials become an access token."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from typing import TYPE_CHECKING, Any

from requests import codes
from singer_sdk.exceptions import FatalSyncError

from tap_amazon_appstore.connection_errors import FatalConnectionError
from tap_amazon_appstore.http import Session, check_status

if TYPE_CHECKING:
    import requests

    from tap_amazon_appstore.patience import Patience

SCOPE = "adx_reporting::appstore:marketer"

# A token is renewed when a tenth of its life is left: it must not expire on the way.
_USABLE_LIFE = 0.9

# What a header can carry.
_TOKEN = re.compile("[!-~]+")

# Seconds that Amazon's tokens live, and the longest credible life of one.
_USUAL_LIFE = 3600
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


class LoginWithAmazon:
    """Adds a bearer token to requests; all threads share one token."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        auth_url: str,
        user_agent: str,
        patience: Patience,
    ) -> None:
        """Prepare to sign in; the first request does.

        Args:
            client_id: the security profile's client id.
            client_secret: the security profile's client secret.
            auth_url: the token endpoint.
            user_agent: the User-Agent header.
            patience: how long transient failures are waited for.
        """
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "scope": SCOPE,
        }
        self._auth_url = auth_url
        self._patience = patience
        self._http = Session(user_agent, patience)
        self._lock = threading.RLock()
        self._header = ""
        self._renew_at = -math.inf

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token, fetched first if necessary; other threads wait for it."""
        with self._lock:
            if time.time() >= self._renew_at:
                self.update_access_token()
            request.headers["Authorization"] = self._header
        return request

    def discard_token(self, request: requests.PreparedRequest) -> None:
        """Stop using the token of a refused request, unless another thread has renewed it."""
        with self._lock:
            if request.headers.get("Authorization") == self._header:
                self._renew_at = -math.inf

    def update_access_token(self) -> None:
        """Fetch a token.

        Raises:
            FatalConnectionError: there is no token, with what to check.
        """
        try:
            self._patience.retry(self._request_token)
        except FatalSyncError as error:
            raise FatalConnectionError(*error.args) from None

    def _request_token(self) -> None:
        requested_at = time.time()
        response, body = self._http.ask("POST", self._auth_url, data=self._form)
        check_status(response, "Login with Amazon")
        status, content = response.status_code, _json_object(body)
        token, life = content.get("access_token"), content.get("expires_in")
        if not (status == codes.ok and isinstance(token, str) and _TOKEN.fullmatch(token)):
            raise FatalConnectionError(_refusal(status, content.get("error")))
        if not (isinstance(life, (int, float)) and 0 < life <= _MAX_LIFE):
            life = _USUAL_LIFE
        self._header = f"Bearer {token}"
        self._renew_at = requested_at + _USABLE_LIFE * life


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _refusal(status: int, error: object) -> str:
    """Return why there is no token, by the error's code: its description is free text."""
    if isinstance(error, str) and re.fullmatch("[a-z_]{1,40}", error):
        hint = _HINTS.get(error, "Check client_id, client_secret and auth_url.")
        return f"Login with Amazon: sign-in failed ({error}). {hint}"
    return f"Login with Amazon: HTTP {status}, no token in the response. Check auth_url."
