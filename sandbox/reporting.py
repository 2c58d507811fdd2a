"""The Reporting API: from a report and a month to a presigned URL."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from sandbox.calls import Call

REPORTS = ("sales", "subscription", "earnings")

_ROUTE = re.compile(
    rf"/api/appstore/download/report/(?P<report>{'|'.join(REPORTS)})"
    r"/(?P<year>[0-9]{4})/(?P<month>[0-9]{2})"
)


def parse_path(path: str) -> tuple[str | None, date | None]:
    """Read report and month from the path of a request; what it does not name is `None`."""
    route = _ROUTE.fullmatch(path)
    if route is None:
        return None, None
    try:
        return route["report"], date(int(route["year"]), int(route["month"]), 1)
    except ValueError:
        return route["report"], None


def bearer_token(request: Request) -> str | None:
    """Return the token of a request's `Authorization` header, if it has one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and token else None


def answer(call: Call) -> Response:
    """Answer a request for a report: its presigned URL, or why there is none."""
    if call.report is None or call.http.method != "GET":
        uri, verb = call.http.path, call.http.method
        return _message(400, f"Unable to fetch the request scope for uri = {uri} and verb = {verb}")
    account, token = call.account, bearer_token(call.http)
    if account is None or token is None or not account.accepts(token):
        return not_authorized()
    if call.report not in account.reports:
        return not_authorized()
    url = account.presigned_url(call.report, call.month) if call.month else None
    if url is None:
        return Response("Report not found", status=400)
    return Response(url)


def too_many_requests(retry_after: int | None = None) -> Response:
    """Make the answer to an account that asks too often."""
    response = _message(429, "Too Many Requests")
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def not_authorized() -> Response:
    """Make the answer to a bad token, or to a report that is not the account's to read."""
    return _message(403, "Request is not authorized.")


def _message(status: int, message: str) -> Response:
    return Response(
        json.dumps({"Message": message}), status=status, content_type="application/json"
    )
