"""What can go wrong between a client and the Reporting API, by name.

A fault comes between a request and its response: it may answer itself, or change the request on
its way in or the response on its way out. `FAULTS` lists each with what it does in one line.
"""

from __future__ import annotations

import gzip
import io
import json
import threading
import zipfile
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from sandbox.bucket import ODD_PREFIX, s3_error
from sandbox.calls import Answer, Behaviour, Call, Service
from sandbox.login import login_error
from sandbox.reporting import not_authorized, report_not_found, too_many_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sandbox.reports import Period

__all__ = ["FAULTS", "REPORT_NOT_AVAILABLE", "Answer", "Behaviour", "Fault", "cut_short", "drop"]

REPORT_NOT_AVAILABLE = (
    "Report Not Available: You are attempting to copy a file, and a file with the specified name "
    "does not exist in the S3 folder: fatal error: An error occurred (403) when calling the "
    "HeadObject operation: Forbidden"
)
"""The API's response for a report whose file is not in the bucket."""


@dataclass(frozen=True)
class Fault:
    """Something that can go wrong at one of the services."""

    name: str
    service: Service
    description: str
    behaviour: Behaviour
    condition: Callable[[Call], bool] = lambda _: True
    """Which of the service's calls it can happen to."""


class ActiveFault:
    """A fault that is active for some requests of an account."""

    def __init__(
        self,
        fault: Fault,
        times: int | None,
        report: str | None,
        period: Period | None,
        seconds: float | None = None,
    ) -> None:
        """Activate a fault for so many requests and seconds; `None` is: always, any."""
        if fault.service == "lwa" and (report or period):
            message = f"{fault.name} cannot depend on a report: no token request is about one"
            raise ValueError(message)
        self._fault = fault
        self._remaining = times
        self._report = report
        self._period = (
            period if period is None or isinstance(period, int) else period.replace(day=1)
        )
        self._seconds = seconds
        self._ends_at: float | None = None
        self._lock = threading.Lock()

    def matches(self, call: Call) -> bool:
        """Return whether this fault happens to a call; the call counts if it does."""
        fault = self._fault
        if (
            fault.service != call.service
            or self._report not in (None, call.report)
            or self._period not in (None, call.period)
            or not fault.condition(call)
        ):
            return False
        with self._lock:
            if self._seconds is not None and call.profile is not None:
                # The time begins with the first request.
                now = call.profile.limits.clock()
                self._ends_at = now + self._seconds if self._ends_at is None else self._ends_at
                if now >= self._ends_at:
                    return False
            if self._remaining is None:
                return True
            self._remaining -= 1
            return self._remaining >= 0

    def answer(self, call: Call, answer: Answer) -> Response:
        """Answer a call as the fault does."""
        return self._fault.behaviour(call, answer)


def find_fault(name: str) -> Fault:
    """Return the fault of a name; an unknown name is a `ValueError` that lists the known ones."""
    try:
        return FAULTS[name]
    except KeyError:
        message = f"There is no fault {name!r}. There are: {', '.join(FAULTS)}"
        raise ValueError(message) from None


def make_fault(service: Service, behaviour: Behaviour | Response) -> Fault:
    """Make a fault without a name. A response is sent as it is, every time."""
    if isinstance(behaviour, Response):
        response = behaviour
        # A response can be sent once: each request gets a copy.
        behaviour = lambda _call, _answer: Response(  # noqa: E731
            response.get_data(), response.status, response.headers
        )
    return Fault(f"A fault of {service}", service, "", behaviour)


def answer_with_faults(faults: Iterable[ActiveFault], call: Call, answer: Answer) -> Response:
    """Answer a call through those of `faults` that match it, the first one outermost.

    A fault behind one that answers itself is not reached, and does not count the request.
    """
    remaining = iter(faults)
    matching = next((fault for fault in remaining if fault.matches(call)), None)
    if matching is None:
        return answer()
    return matching.answer(call, lambda: answer_with_faults(remaining, call, answer))


def drop(_call: Call, _answer: Answer) -> Response:
    """Close the connection without a response."""
    raise ConnectionAbortedError


def cut_short(_call: Call, answer: Answer) -> Response:
    """Close the connection after half of a body whose full length is in the header."""
    response = answer()
    body = response.get_data()

    def first_half() -> Iterator[bytes]:
        yield body[: len(body) // 2]
        raise ConnectionAbortedError

    response.response = first_half()
    response.headers["Content-Length"] = str(len(body))
    return response


def _respond(make: Callable[[], Response]) -> Behaviour:
    return lambda _call, _answer: make()


def _change_body(change: Callable[[bytes], bytes], content_type: str | None = None) -> Behaviour:
    def behaviour(_call: Call, answer: Answer) -> Response:
        response = answer()
        if response.status_code == HTTPStatus.OK:
            response.set_data(change(response.get_data()))
            response.content_type = content_type or response.content_type
        return response

    return behaviour


def _without_length(behaviour: Behaviour, header: str, value: str) -> Behaviour:
    def unsized(call: Call, answer: Answer) -> Response:
        response = behaviour(call, answer)
        response.response = iter([response.get_data()])
        response.headers.pop("Content-Length", None)
        response.headers[header] = value
        return response

    return unsized


def _html_page() -> Response:
    return Response(
        "<!DOCTYPE html>\n<html><body><h1>We'll be right back</h1></body></html>\n",
        content_type="text/html; charset=utf-8",
    )


def _unavailable(status: int = 503) -> Response:
    return Response("Service Unavailable", status=status)


def _redirect(call: Call, _answer: Answer) -> Response:
    return Response(status=302, headers={"Location": call.sign_in_url})


def _answer_not_modified(_call: Call, answer: Answer) -> Response:
    usual = answer()
    kept = {
        name: usual.headers[name] for name in ("ETag", "Last-Modified") if name in usual.headers
    }
    return Response(status=304, headers=kept)


def _leave_out_etag(_call: Call, answer: Answer) -> Response:
    response = answer()
    response.headers.pop("ETag", None)
    return response


def _ignore_conditions(call: Call, answer: Answer) -> Response:
    for header in ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE"):
        call.http.environ.pop(header, None)
    return answer()


def _presign_expired(call: Call, answer: Answer) -> Response:
    call.url_lifetime = 0
    return answer()


def _presign_odd_path(call: Call, answer: Answer) -> Response:
    call.url_prefix = ODD_PREFIX
    return answer()


def _extract_csv(body: bytes) -> bytes:
    # One CSV of all members: header lines of the samples and of `make_csv` hold no line break.
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        first, *others = (archive.read(name) for name in archive.namelist())
    return first + b"".join(part.partition(b"\n")[2] for part in others)


def _compress_csv(body: bytes) -> bytes:
    return gzip.compress(_extract_csv(body), mtime=0)


def _change_compressed_byte(body: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        largest = max(archive.infolist(), key=lambda member: member.compress_size)
    # A local header is 30 bytes and two fields whose lengths are in its last four bytes.
    header, changed = largest.header_offset, bytearray(body)
    lengths = (int.from_bytes(body[header + i : header + i + 2], "little") for i in (26, 28))
    changed[header + 30 + sum(lengths) + largest.compress_size // 2] ^= 0xFF
    return bytes(changed)


_CSV = _change_body(_extract_csv, "text/csv")
_GZIP = _change_body(_compress_csv, "application/gzip")
_CHUNKED = ("Transfer-Encoding", "chunked")
_UNSIZED = ("Connection", "close")
_NOT_FOUND = "We're sorry. Report not found for the requested month; try again later."
_NOT_FOUND_JSON = json.dumps({"Message": f"400 BAD_REQUEST: {_NOT_FOUND.upper()}", "code": "E17"})


_BEHAVIOURS: dict[Service, dict[str, tuple[str, Behaviour]]] = {
    "lwa": {
        "lwa-503": ("returns 503", _respond(_unavailable)),
        "lwa-invalid-scope": (
            "returns invalid_scope: the profile is not attached",
            _respond(lambda: login_error(400, "invalid_scope")),
        ),
    },
    "api": {
        "api-403": ("returns 403: not authorized", _respond(not_authorized)),
        "api-404": ("returns 404: server unavailable", _respond(lambda: _unavailable(404))),
        "api-429": ("returns 429 with Retry-After: 1", _respond(lambda: too_many_requests(1))),
        "api-429-no-retry-after": ("returns 429 without Retry-After", _respond(too_many_requests)),
        "api-503": ("returns 503", _respond(_unavailable)),
        "api-drop": ("closes the connection without a response", drop),
        "api-empty": ("returns 200 with an empty body", _respond(Response)),
        "api-redirect": ("redirects to a sign-in page on another host", _redirect),
        "api-nonsense": ("returns 200 with an HTML page", _respond(_html_page)),
        "report-not-found-text": (
            'returns 400 with "Report not found" inside a longer text',
            _respond(lambda: report_not_found(_NOT_FOUND)),
        ),
        "report-not-found-json": (
            'returns 400 with "REPORT NOT FOUND" inside JSON',
            _respond(lambda: report_not_found(_NOT_FOUND_JSON)),
        ),
        "report-not-available": (
            'returns 403 "Report Not Available": the file is not in the bucket',
            _respond(lambda: Response(REPORT_NOT_AVAILABLE, status=403)),
        ),
        "earnings-yearly-only": ("has no earnings/{YYYY}/{MM}", _respond(report_not_found)),
        "earnings-monthly-only": ("has no earnings/{YYYY}", _respond(report_not_found)),
        "url-quoted": (
            "returns the presigned URL in quotes, with a line break",
            _change_body(lambda url: b' "%s"\n' % url),
        ),
        "url-json": (
            "returns the presigned URL in a small JSON object",
            _change_body(lambda url: b'{"url": "%s"}' % url, "application/json"),
        ),
        "url-expired": ("returns a presigned URL that has expired already", _presign_expired),
        "url-odd-path": (
            "returns a presigned URL with //, %2f, |, [ and a stray % in its path",
            _presign_odd_path,
        ),
    },
    "bucket": {
        "bucket-304": ("returns 304 whatever the request's conditions", _answer_not_modified),
        "bucket-403": ("denies access", _respond(lambda: s3_error(403, "AccessDenied"))),
        "bucket-404": ("returns 404", _respond(lambda: s3_error(404, "NoSuchBucket"))),
        "bucket-503": ("returns 503: slow down", _respond(lambda: s3_error(503, "SlowDown"))),
        "bucket-drop": ("closes the connection after half of the file", cut_short),
        "bucket-bad-crc": (
            "returns a file with a changed byte in its compressed data",
            _change_body(_change_compressed_byte),
        ),
        "bucket-empty": ("returns 200 with an empty body", _change_body(lambda _: b"")),
        "bucket-not-a-zip": ("returns 200 with an HTML page", _respond(_html_page)),
        "bucket-csv": ("returns plain CSV", _CSV),
        "bucket-csv-chunked": ("returns plain CSV, chunked", _without_length(_CSV, *_CHUNKED)),
        "bucket-csv-unsized": (
            "returns plain CSV that ends with the connection",
            _without_length(_CSV, *_UNSIZED),
        ),
        "bucket-gzip": ("returns gzip-compressed CSV", _GZIP),
        "bucket-gzip-chunked": (
            "returns gzip-compressed CSV, chunked",
            _without_length(_GZIP, *_CHUNKED),
        ),
        "bucket-gzip-unsized": (
            "returns gzip-compressed CSV that ends with the connection",
            _without_length(_GZIP, *_UNSIZED),
        ),
        "bucket-no-etag": ("leaves out the ETag", _leave_out_etag),
        "bucket-ignores-conditions": ("sends a file that is unchanged", _ignore_conditions),
    },
}
_SERVICES = {"lwa": "Login with Amazon", "api": "the API", "bucket": "the bucket"}
_CONDITIONS: dict[str, Callable[[Call], bool]] = {
    "earnings-yearly-only": lambda call: call.report == "earnings" and call.month is not None,
    "earnings-monthly-only": lambda call: call.year is not None,
}
FAULTS: dict[str, Fault] = {
    name: Fault(
        name,
        service,
        f"{_SERVICES[service]} {what}",
        behaviour,
        _CONDITIONS.get(name, lambda _: True),
    )
    for service, behaviours in _BEHAVIOURS.items()
    for name, (what, behaviour) in behaviours.items()
}
"""All faults by their name."""
