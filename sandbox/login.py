"""Login with Amazon (LWA): access tokens for client ids and secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from sandbox.calls import Call

TOKEN_PATH = "/auth/o2/token"  # noqa: S105 - a path
SIGN_IN_PATH = "/ap/signin"
SCOPE = "adx_reporting::appstore:marketer"

_DESCRIPTIONS = {
    "invalid_client": "Client authentication failed",
    "invalid_scope": "The request has an invalid parameter : scope",
    "unsupported_grant_type": (
        "The authorization grant type is not supported by the authorization server"
    ),
}


def answer_login(call: Call) -> Response:
    """Answer a request to LWA: a token, or one of the documented errors."""
    request = call.http
    if request.path == SIGN_IN_PATH:
        return Response("<html><title>Amazon Sign-In</title></html>", content_type="text/html")
    if request.path != TOKEN_PATH:
        return Response("Not found", status=404)
    if request.method != "POST":
        return Response("Method not allowed", status=405, headers={"Allow": "POST"})
    if request.mimetype != "application/x-www-form-urlencoded":
        return _invalid_request("The Content-Type is not supported by the authorization server")
    return _answer_token_request(call)


def login_error(status: int, error: str) -> Response:
    """Make one of LWA's error responses."""
    return _json(status, {"error_description": _DESCRIPTIONS[error], "error": error})


def _answer_token_request(call: Call) -> Response:
    form, profile = call.http.form, call.profile
    for name in ("grant_type", "client_id", "client_secret", "scope"):
        if not form.get(name):
            return _invalid_request(f"The request is missing a required parameter : {name}")
    if form["grant_type"] != "client_credentials":
        return login_error(400, "unsupported_grant_type")
    if profile is None or form["client_secret"] != profile.client_secret:
        return login_error(401, "invalid_client")
    if form["scope"] != SCOPE or not profile.attached:
        return login_error(400, "invalid_scope")
    token, expires_in = profile.issue_token()
    content = {"access_token": token, "scope": SCOPE, "token_type": "bearer"}
    return _json(200, {**content, "expires_in": expires_in})


def _invalid_request(description: str) -> Response:
    return _json(400, {"error_description": description, "error": "invalid_request"})


def _json(status: int, content: dict[str, object]) -> Response:
    return Response(
        json.dumps(content),
        status=status,
        content_type="application/json;charset=UTF-8",
        headers={"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache"},
    )
