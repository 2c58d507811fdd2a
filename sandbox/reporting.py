"""The Reporting API: from a report and a month to a presigned URL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from sandbox.reports import object_key

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from sandbox.bucket import Bucket
    from sandbox.calls import Call


def bearer_token(request: Request) -> str | None:
    """Return the token of a request's `Authorization` header, if it has one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and token else None


def answer_report_request(call: Call, bucket: Bucket, bucket_url: str) -> Response:
    """Answer a request for a report: its presigned URL, or why there is none."""
    if call.report is None or call.http.method != "GET":
        uri, verb = call.http.path, call.http.method
        return _message(400, f"Unable to fetch the request scope for uri = {uri} and verb = {verb}")
    profile, token = call.profile, bearer_token(call.http)
    if profile is None or token is None or not profile.is_valid(token):
        return not_authorized()
    if call.report not in profile.reports:
        return not_authorized()
    if call.period is None:
        return report_not_found()
    key = object_key(profile.number, call.report, call.period)
    if bucket.get(key) is None:
        return report_not_found()
    lifetime = profile.limits.url_lifetime if call.url_lifetime is None else call.url_lifetime
    return Response(bucket.presign(bucket_url + call.url_prefix, key, lifetime))


def report_not_found(body: str = "Report not found") -> Response:
    """Make the response to a request for a month without a report; JSON if `body` is."""
    is_json = body.startswith("{")
    return Response(body, status=400, content_type="application/json" if is_json else "text/plain")


def too_many_requests(retry_after: int | None = None) -> Response:
    """Make the response to requests beyond the rate limit."""
    response = _message(429, "Too Many Requests")
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def not_authorized() -> Response:
    """Make the response to an invalid token, or to a report that the profile may not read."""
    return _message(403, "Request is not authorized.")


def _message(status: int, message: str) -> Response:
    content = json.dumps({"Message": message})
    return Response(content, status=status, content_type="application/json")
