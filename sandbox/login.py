"""Login with Amazon (LWA): access tokens for client ids and secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from werkzeug import Response

if TYPE_CHECKING:
    from sandbox.request import Request

TOKEN_PATH = "/auth/o2/token"  # noqa: S105 - a path
SCOPE = "adx_reporting::appstore:marketer"


def answer_login(request: Request) -> Response:
    """Answer a request to LWA: a token, or one of the documented errors."""
    if request.path != TOKEN_PATH:
        return Response("Not found", 404)
    form, account = request.form, request.account
    for name in ("grant_type", "client_id", "client_secret", "scope"):
        if not form.get(name):
            description = f"The request is missing a required parameter : {name}"
            return _refuse("invalid_request", description)
    if form["grant_type"] != "client_credentials":
        description = "The authorization grant type is not supported by the authorization server"
        return _refuse("unsupported_grant_type", description)
    if account is None or form["client_secret"] != account.client_secret:
        return _refuse("invalid_client", "Client authentication failed", 401)
    if form["scope"] != SCOPE:
        return invalid_scope()
    content = {
        "access_token": account.issue_token(),
        "scope": SCOPE,
        "token_type": "bearer",
        "expires_in": int(account.token_lifetime),
    }
    return Response(json.dumps(content), content_type="application/json;charset=UTF-8")


def invalid_scope() -> Response:
    """Make the response to a security profile that is not attached to the Reporting API."""
    return _refuse("invalid_scope", "The request has an invalid parameter : scope")


def _refuse(error: str, description: str, status: int = 400) -> Response:
    content = json.dumps({"error_description": description, "error": error})
    return Response(content, status, content_type="application/json;charset=UTF-8")
