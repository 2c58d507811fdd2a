"""What can go wrong between a client and the Reporting API, by name.

A fault stands between a request and its answer: it may answer itself, or change the request on its
way in or the answer on its way out. It is written once, here, with what it does in one line.
"""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from sandbox.bucket import s3_error
from sandbox.reporting import not_authorized, too_many_requests

if TYPE_CHECKING:
    from datetime import date

    from sandbox.calls import Call, Service

Answer = Callable[[], Response]
Behaviour = Callable[["Call", Answer], Response]

REPORT_NOT_AVAILABLE = (
    "Report Not Available: You are attempting to copy a file, and a file with the specified name "
    "does not exist in the S3 folder: fatal error: An error occurred (403) when calling the "
    "HeadObject operation: Forbidden"
)
"""What the API says of a report whose file is not in the bucket."""


@dataclass(frozen=True)
class Fault:
    """Something that can go wrong at one of the services."""

    name: str
    service: Service
    description: str
    behaviour: Behaviour


FAULTS: dict[str, Fault] = {}
"""All faults by their name."""


def find_fault(name: str) -> Fault:
    """Return the fault of a name; an unknown name is a `ValueError` that lists the known ones."""
    try:
        return FAULTS[name]
    except KeyError:
        message = f"There is no fault {name!r}. There are: {', '.join(FAULTS)}"
        raise ValueError(message) from None


def unnamed_fault(service: Service, behaviour: Behaviour | Response) -> Fault:
    """Return a fault that stands in no list. A response is what it answers, every time."""
    if isinstance(behaviour, Response):
        behaviour = _always(behaviour)
    return Fault(f"misbehaviour of {service}", service, "", behaviour)


class ArmedFault:
    """A fault that is switched on for some requests of an account."""

    def __init__(
        self, fault: Fault, times: int | None, report: str | None, month: date | None
    ) -> None:
        """Switch a fault on; `None` stands for: always, every report, every month."""
        if fault.service == "lwa" and (report or month):
            message = f"{fault.name} cannot depend on a report: no token request is about one"
            raise ValueError(message)
        self._fault = fault
        self._remaining = times
        self._report = report
        self._month = month.replace(day=1) if month else None
        self._lock = threading.Lock()

    def matches(self, call: Call) -> bool:
        """Tell whether this fault happens to a request; it counts if it does."""
        if self._fault.service != call.service or not self._concerns(call):
            return False
        with self._lock:
            if self._remaining is None:
                return True
            self._remaining -= 1
            return self._remaining >= 0

    def _concerns(self, call: Call) -> bool:
        return self._report in (None, call.report) and self._month in (None, call.month)

    def answer(self, call: Call, answer: Answer) -> Response:
        """Answer a request, faultily."""
        return self._fault.behaviour(call, answer)


def answer_through(faults: Iterable[ArmedFault], call: Call, answer: Answer) -> Response:
    """Answer a request through those of `faults` that strike it, the first one outermost.

    A fault behind one that answers by itself is not reached, and does not count the request.
    """
    remaining = iter(faults)
    struck = next((fault for fault in remaining if fault.matches(call)), None)
    if struck is None:
        return answer()
    return struck.answer(call, lambda: answer_through(remaining, call, answer))


def _fault(name: str, service: Service, description: str) -> Callable[[Behaviour], Behaviour]:
    def enter(behaviour: Behaviour) -> Behaviour:
        FAULTS[name] = Fault(name, service, description, behaviour)
        return behaviour

    return enter


@_fault("lwa-503", "lwa", "Login with Amazon answers 503")
def _lwa_503(_call: Call, _answer: Answer) -> Response:
    return _unavailable()


@_fault("api-403", "api", "the API answers 403: the request is not authorized")
def _api_403(_call: Call, _answer: Answer) -> Response:
    return not_authorized()


@_fault("api-404", "api", "the API answers 404: the server is unavailable")
def _api_404(_call: Call, _answer: Answer) -> Response:
    return Response("Server Unavailable", status=404)


@_fault("api-429", "api", "the API answers 429 and asks to retry after a second")
def _api_429(_call: Call, _answer: Answer) -> Response:
    return too_many_requests(retry_after=1)


@_fault("api-503", "api", "the API answers 503")
def _api_503(_call: Call, _answer: Answer) -> Response:
    return _unavailable()


@_fault("api-drop", "api", "the API closes the connection without an answer")
def drop(_call: Call, _answer: Answer) -> Response:
    """Close the connection without an answer."""
    raise ConnectionAbortedError


@_fault("api-redirect", "api", "the API redirects to a sign-in page on another host")
def _api_redirect(call: Call, answer: Answer) -> Response:
    if call.account is None:
        return answer()
    elsewhere = call.account.sign_in_url
    return Response(status=302, headers={"Location": elsewhere})


@_fault("api-nonsense", "api", "the API answers 200 with an HTML page")
def _api_nonsense(_call: Call, _answer: Answer) -> Response:
    return _html_page()


@_fault("url-quoted", "api", "the API puts the presigned URL in quotes, with a line break")
def _url_quoted(_call: Call, answer: Answer) -> Response:
    return _reworded(answer(), lambda url: f' "{url}"\n')


@_fault("url-json", "api", "the API puts the presigned URL in a small JSON object")
def _url_json(_call: Call, answer: Answer) -> Response:
    response = _reworded(answer(), lambda url: json.dumps({"url": url}))
    response.content_type = "application/json"
    return response


@_fault("url-expired", "api", "the API gives a presigned URL that has expired already")
def _url_expired(call: Call, answer: Answer) -> Response:
    return _reworded(answer(), lambda _: _expired_url(call))


@_fault("report-not-available", "api", "the API says that the file is not in the bucket")
def _report_not_available(_call: Call, _answer: Answer) -> Response:
    return Response(REPORT_NOT_AVAILABLE, status=403)


@_fault("bucket-403", "bucket", "the bucket denies access")
def _bucket_403(_call: Call, _answer: Answer) -> Response:
    return s3_error(403, "AccessDenied", "Access Denied")


@_fault("bucket-404", "bucket", "the bucket answers 404")
def _bucket_404(_call: Call, _answer: Answer) -> Response:
    return s3_error(404, "NoSuchBucket", "The specified bucket does not exist")


@_fault("bucket-503", "bucket", "the bucket answers 503: slow down")
def _bucket_503(_call: Call, _answer: Answer) -> Response:
    return s3_error(503, "SlowDown", "Please reduce your request rate.")


@_fault("bucket-drop", "bucket", "the connection is closed after half of the file")
def cut_short(_call: Call, answer: Answer) -> Response:
    """Close the connection after half of an answer that says how long it would have been."""
    response = answer()
    body = response.get_data()
    response.response = _first_half(body)
    response.headers["Content-Length"] = str(len(body))
    return response


@_fault("bucket-bad-crc", "bucket", "a byte of the file's compressed data is changed")
def _bucket_bad_crc(_call: Call, answer: Answer) -> Response:
    response = answer()
    if response.status_code == HTTPStatus.OK:
        response.set_data(_with_changed_byte(response.get_data()))
    return response


@_fault("bucket-not-a-zip", "bucket", "the bucket answers 200 with an HTML page")
def _bucket_not_a_zip(_call: Call, _answer: Answer) -> Response:
    return _html_page()


@_fault("bucket-no-etag", "bucket", "the bucket leaves out the ETag")
def _bucket_no_etag(_call: Call, answer: Answer) -> Response:
    response = answer()
    response.headers.pop("ETag", None)
    return response


@_fault("bucket-ignores-conditions", "bucket", "the bucket sends the file though it is unchanged")
def _bucket_ignores_conditions(call: Call, answer: Answer) -> Response:
    for header in ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE"):
        call.http.environ.pop(header, None)
    return answer()


def _always(response: Response) -> Behaviour:
    # A response can be sent once: each request gets one of its own.
    def answer(_call: Call, _answer: Answer) -> Response:
        return Response(response.get_data(), response.status, response.headers)

    return answer


def _unavailable() -> Response:
    return Response("Service Unavailable", status=503)


def _html_page() -> Response:
    return Response(
        "<!DOCTYPE html>\n<html><body><h1>We'll be right back</h1></body></html>\n",
        content_type="text/html; charset=utf-8",
    )


def _reworded(response: Response, reword: Callable[[str], str]) -> Response:
    if response.status_code == HTTPStatus.OK:
        response.set_data(reword(response.get_data(as_text=True)))
    return response


def _expired_url(call: Call) -> str:
    if call.account is None or call.report is None or call.month is None:
        return ""
    return call.account.presigned_url(call.report, call.month, expired=True) or ""


def _first_half(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    raise ConnectionAbortedError


def _with_changed_byte(archive: bytes) -> bytes:
    changed = bytearray(archive)
    changed[_inside_compressed_data(archive)] ^= 0xFF
    return bytes(changed)


def _inside_compressed_data(archive: bytes) -> int:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        largest = max(file.infolist(), key=lambda member: member.compress_size)
    # A local header is 30 bytes and two fields whose lengths stand at its end.
    header = largest.header_offset
    name_length = int.from_bytes(archive[header + 26 : header + 28], "little")
    extra_length = int.from_bytes(archive[header + 28 : header + 30], "little")
    return header + 30 + name_length + extra_length + largest.compress_size // 2
