"""The Reporting API: from a report and a month to a presigned URL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from werkzeug import Response

from sandbox.reports import object_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.bucket import Bucket
    from sandbox.request import Request


def bearer_token(request: Request) -> str:
    """Return the token of a request's `Authorization` header; empty if it has none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def answer_report_request(request: Request, bucket: Bucket, bucket_url: str) -> Response:
    """Answer a request for a report: its presigned URL, or why there is none."""
    uri, verb, account = request.path, request.method, request.account
    if request.report is None or verb != "GET":
        return _message(400, f"Unable to fetch the request scope for uri = {uri} and verb = {verb}")
    if account is None or not account.is_valid(bearer_token(request)):
        return not_authorized()
    if request.report not in account.reports:
        return not_authorized()
    if request.month is None:
        return report_not_found()
    key = object_key(account.number, request.report, request.month)
    if bucket.get(key) is None:
        return report_not_found()
    return Response(bucket.presign(bucket_url + request.url_prefix, key, request.url_lifetime))


def report_not_found(body: str = "Report not found") -> Response:
    """Make the response to a request for a month without a report."""
    return Response(body, 400, content_type="text/plain")


def too_many_requests(headers: Mapping[str, str] | None = None) -> Response:
    """Make the response to requests beyond the rate limit."""
    response = _message(429, "Too Many Requests")
    response.headers.update(headers or {})
    return response


def not_authorized() -> Response:
    """Make the response to an invalid token, or to a report that the profile may not read."""
    return _message(403, "Request is not authorized.")


def _message(status: int, message: str) -> Response:
    content = json.dumps({"Message": message})
    return Response(content, status, content_type="application/json")
