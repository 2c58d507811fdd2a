"""What can go wrong between a client and the Reporting API, by name.

A fault comes between a request and its response: it may answer itself, or change the request on
its way in or the response on its way out. `FAULTS` lists each with what it does in one line.
"""

from __future__ import annotations

import gzip
import json
import threading
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from werkzeug import Response

from sandbox.archive import extract_csv
from sandbox.bucket import ODD_PREFIX, s3_error
from sandbox.login import invalid_scope
from sandbox.reporting import not_authorized, report_not_found, too_many_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sandbox.reports import Period
    from sandbox.request import Answer, Behaviour, Request, Service

REPORT_NOT_AVAILABLE = (
    "Report Not Available: You are attempting to copy a file, and a file with the specified name "
    "does not exist in the S3 folder: fatal error: An error occurred (403) when calling the "
    "HeadObject operation: Forbidden"
)
"""The API's response for a report whose file is not in the bucket."""


@dataclass(frozen=True)
class Fault:
    """Something that can go wrong at one of the services.

    Instead of answering as usual, the service sends a fixed response, or what a function returns
    that gets the request and a function that answers it as usual.
    """

    service: Service
    behaviour: Behaviour | Response
    description: str = ""

    def answer(self, request: Request, answer: Answer) -> Response:
        """Answer a request as the fault does."""
        if isinstance(self.behaviour, Response):
            # A response can be sent once: each request gets a copy.
            fixed = self.behaviour
            return Response(fixed.get_data(), fixed.status, fixed.headers)
        return self.behaviour(request, answer)


@dataclass
class ActiveFault:
    """A fault that is active for so many requests and seconds; `None` is: always, any."""

    fault: Fault
    times: int | None
    report: str | None
    month: Period | None
    seconds: float | None
    _ends_at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def matches(self, request: Request) -> bool:
        """Return whether this fault happens to a request, which counts if it does."""
        if (
            self.fault.service != request.service
            or self.report not in (None, request.report)
            or self.month not in (None, request.month)
        ):
            return False
        with self._lock:
            if self.seconds is not None and request.account is not None:
                # The time begins with the first request.
                now = request.account.clock()
                self._ends_at = now + self.seconds if self._ends_at is None else self._ends_at
                if now >= self._ends_at:
                    return False
            if self.times is None:
                return True
            self.times -= 1
            return self.times >= 0


def find_fault(name: str) -> Fault:
    """Return the fault of a name; an unknown name is a `ValueError` that lists the known ones."""
    try:
        return FAULTS[name]
    except KeyError:
        message = f"There is no fault {name!r}. There are: {', '.join(FAULTS)}"
        raise ValueError(message) from None


def answer_with_faults(faults: Iterable[ActiveFault], request: Request, answer: Answer) -> Response:
    """Answer a request through those of `faults` that match it, the first one outermost.

    A fault behind one that answers itself is not reached, and does not count the request.
    """
    remaining = iter(faults)
    matching = next((active.fault for active in remaining if active.matches(request)), None)
    if matching is None:
        return answer()
    return matching.answer(request, lambda: answer_with_faults(remaining, request, answer))


def drop(_: Request, _answer: Answer) -> Response:
    """Close the connection without a response."""
    raise ConnectionAbortedError


def cut_short(_: Request, answer: Answer) -> Response:
    """Close the connection after half of a body whose full length is in the header."""
    response = answer()
    body = response.get_data()

    def first_half() -> Iterator[bytes]:
        yield body[: len(body) // 2]
        raise ConnectionAbortedError

    response.response = first_half()
    response.headers["Content-Length"] = str(len(body))
    return response


def _presign_expired(request: Request, answer: Answer) -> Response:
    request.url_lifetime = 0
    return answer()


def _presign_odd_path(request: Request, answer: Answer) -> Response:
    request.url_prefix = ODD_PREFIX
    return answer()


def _ignore_conditions(request: Request, answer: Answer) -> Response:
    for header in ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE"):
        request.environ.pop(header, None)
    return answer()


def _leave_out_etag(_: Request, answer: Answer) -> Response:
    response = answer()
    response.headers.pop("ETag", None)
    return response


def _allow_earnings_by(allowed: type) -> Behaviour:
    def behaviour(request: Request, answer: Answer) -> Response:
        is_other_form = request.report == "earnings" and not isinstance(request.month, allowed)
        return report_not_found() if is_other_form else answer()

    return behaviour


def _change_body(
    change: Callable[[bytes], bytes],
    content_type: str | None = None,
    framing: Mapping[str, str] | None = None,
) -> Behaviour:
    """Change the body of the usual response; `framing` are headers instead of its length."""

    def behaviour(_: Request, answer: Answer) -> Response:
        response = answer()
        if response.status_code != 200:  # noqa: PLR2004
            return response
        response.set_data(change(response.get_data()))
        response.content_type = content_type or response.content_type
        if framing:
            response.response = iter([response.get_data()])
            del response.headers["Content-Length"]
            response.headers.update(framing)
        return response

    return behaviour


def _compress_csv(body: bytes) -> bytes:
    return gzip.compress(extract_csv(body), mtime=0)


def _change_byte(body: bytes) -> bytes:
    # The middle of a report is compressed data: it has one member, or three of about one size.
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :]


_UNAVAILABLE = Response("Service Unavailable", 503)
_REDIRECT = Response(status=302, headers={"Location": "https://amazon.invalid/ap/signin"})
_HTML_PAGE = Response(
    "<!DOCTYPE html>\n<html><body><h1>We'll be right back</h1></body></html>\n",
    content_type="text/html; charset=utf-8",
)
_NOT_FOUND = "We're sorry. Report not found for the requested month; try again later."
_NOT_FOUND_JSON = json.dumps({"Message": f"400 BAD_REQUEST: {_NOT_FOUND.upper()}", "code": "E17"})
_NOT_ZIPPED = {
    "csv": ("plain CSV", extract_csv, "text/csv"),
    "gzip": ("gzip-compressed CSV", _compress_csv, "application/gzip"),
}
_FRAMINGS = {
    "": ("", {}),
    "-chunked": (", chunked", {"Transfer-Encoding": "chunked"}),
    "-unsized": (" that ends with the connection", {"Connection": "close"}),
}

FAULTS: dict[str, Fault] = {
    "lwa-503": Fault("lwa", _UNAVAILABLE, "returns 503"),
    "lwa-invalid-scope": Fault(
        "lwa", invalid_scope(), "returns invalid_scope: profile not attached"
    ),
    "api-403": Fault("api", not_authorized(), "returns 403: not authorized"),
    "api-404": Fault("api", Response("Service Unavailable", 404), "returns 404"),
    "api-429": Fault("api", too_many_requests({"Retry-After": "1"}), "returns 429, Retry-After: 1"),
    "api-429-no-retry-after": Fault("api", too_many_requests(), "returns 429 without Retry-After"),
    "api-503": Fault("api", _UNAVAILABLE, "returns 503"),
    "api-drop": Fault("api", drop, "closes the connection without a response"),
    "api-empty": Fault("api", Response(), "returns 200 with an empty body"),
    "api-redirect": Fault("api", _REDIRECT, "redirects to a sign-in page on another host"),
    "api-nonsense": Fault("api", _HTML_PAGE, "returns 200 with an HTML page"),
    "report-not-found-text": Fault(
        "api", report_not_found(_NOT_FOUND), 'returns 400, "Report not found" inside a longer text'
    ),
    "report-not-found-json": Fault(
        "api",
        Response(_NOT_FOUND_JSON, 400, content_type="application/json"),
        'returns 400, "REPORT NOT FOUND" inside JSON',
    ),
    "report-not-available": Fault(
        "api",
        Response(REPORT_NOT_AVAILABLE, 403),
        'returns 403 "Report Not Available": the file is not in the bucket',
    ),
    "earnings-yearly-only": Fault("api", _allow_earnings_by(int), "has no earnings/{YYYY}/{MM}"),
    "earnings-monthly-only": Fault("api", _allow_earnings_by(date), "has no earnings/{YYYY}"),
    "url-quoted": Fault(
        "api",
        _change_body(lambda url: b' "%s"\n' % url),
        "returns the presigned URL in quotes, with a line break",
    ),
    "url-json": Fault(
        "api",
        _change_body(lambda url: b'{"url": "%s"}' % url, "application/json"),
        "returns the presigned URL in a small JSON object",
    ),
    "url-expired": Fault("api", _presign_expired, "returns a presigned URL that has expired"),
    "url-odd-path": Fault(
        "api", _presign_odd_path, "returns a presigned URL whose path has //, %2f, |, [ and %"
    ),
    "bucket-304": Fault("bucket", Response(status=304), "returns 304 whatever the conditions"),
    "bucket-403": Fault("bucket", s3_error(403, "AccessDenied"), "denies access"),
    "bucket-404": Fault("bucket", s3_error(404, "NoSuchBucket"), "returns 404"),
    "bucket-503": Fault("bucket", s3_error(503, "SlowDown"), "returns 503: slow down"),
    "bucket-drop": Fault("bucket", cut_short, "closes the connection after half of the file"),
    "bucket-bad-crc": Fault(
        "bucket", _change_body(_change_byte), "changes a byte of the compressed data"
    ),
    "bucket-empty": Fault("bucket", _change_body(lambda _: b""), "returns 200, an empty body"),
    "bucket-not-a-zip": Fault("bucket", _HTML_PAGE, "returns 200 with an HTML page"),
    **{
        f"bucket-{form}{suffix}": Fault(
            "bucket", _change_body(change, content_type, headers), f"returns {what}{how}"
        )
        for form, (what, change, content_type) in _NOT_ZIPPED.items()
        for suffix, (how, headers) in _FRAMINGS.items()
    },
    "bucket-no-etag": Fault("bucket", _leave_out_etag, "leaves out the ETag"),
    "bucket-ignores-conditions": Fault(
        "bucket", _ignore_conditions, "sends a file that is unchanged"
    ),
}
"""All faults by their name."""
