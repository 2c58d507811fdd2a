"""Amazon's responses become a file, "no report", "unchanged", or an error with its cause."""

from __future__ import annotations

import errno
import gzip
import io
import itertools
import json
import os
import threading
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import IO, TYPE_CHECKING

import pytest
from singer_sdk.exceptions import FatalSyncError, RetriableSyncError

from tap_amazon_appstore.client import (
    AccessDeniedError,
    Download,
    FileVersion,
    Outcome,
    error_context,
)
from tap_amazon_appstore.connection_errors import FatalConnectionError
from tap_amazon_appstore.patience import RateLimitError
from tests.conftest import memory_below
from tests.unit.amazon import (
    FILE,
    LAST_MODIFIED,
    Amazon,
    Piece,
    Request,
    Response,
    chunked,
    raw_response,
    response,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_amazon_appstore.client import ReportingClient

MONTH = "2024-03"
VERSION = FileVersion('"1"', LAST_MODIFIED)

NOT_AVAILABLE = "Report Not Available: You are attempting to copy a file"
HEAD_OBJECT = "An error occurred (403) when calling the HeadObject operation: Forbidden"


@pytest.fixture
def client(amazon: Amazon) -> ReportingClient:
    return amazon.client()


@pytest.fixture(autouse=True)
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[IO[bytes]]]:
    """The downloads of a test, each of which has been made once; they are closed after it."""
    files: list[IO[bytes]] = []

    def spool(**_: object) -> IO[bytes]:
        files.append(io.BytesIO())
        return files[-1]

    monkeypatch.setattr("tempfile.TemporaryFile", spool)
    yield files
    # A thread that still reads ahead would ask the next test's Amazon.
    join_threads()
    for file in files:
        file.close()


def join_threads() -> None:
    """Wait for the downloads that are under way."""
    for thread in threading.enumerate():
        if thread.name.startswith("fetch-"):
            thread.join(10)


def accept(_: IO[bytes], *, is_complete: bool) -> None:
    """Find nothing wrong with a download."""


def fetch(
    client: ReportingClient,
    known: FileVersion | None = None,
    check: Callable[..., None] = accept,
    period: str = MONTH,
) -> Download | Outcome:
    return client.fetch("sales", period, known, check)


def content(result: Download | Outcome) -> bytes:
    assert isinstance(result, Download)
    result.file.seek(0)
    return result.file.read()


def failure(client: ReportingClient, known: FileVersion | None = None) -> str:
    """Return the sentence with which a report fails, without its prefix."""
    with pytest.raises(FatalSyncError) as error:
        fetch(client, known)
    assert error.value.__suppress_context__ or error.value.__context__ is None
    prefix, _, sentence = str(error.value).partition(": ")
    assert prefix == f"sales {MONTH}"
    return sentence


# ------------------------------------------------------------------------------------ a download


def test_a_download_is_a_file_with_its_version(amazon: Amazon, client: ReportingClient) -> None:
    download = fetch(client)

    assert isinstance(download, Download)
    assert content(download) == FILE
    assert download.size == len(FILE)
    assert download.version == VERSION
    assert download.last_modified == datetime(2024, 4, 3, 12, 30, tzinfo=timezone.utc)
    assert download.last_modified.tzinfo is timezone.utc
    assert [(r.service, r.method, r.target) for r in amazon.requests] == [
        ("lwa", "POST", "/token"),
        ("api", "GET", "/api/appstore/download/report/sales/2024/03"),
        ("bucket", "GET", "/sales.zip?X-Amz-Signature=1"),
    ]
    assert amazon.sent("api", "Authorization") == ["Bearer Atc|1"]
    assert amazon.sent("bucket", "Authorization") == [None]
    for service in ("lwa", "api", "bucket"):
        assert amazon.sent(service, "User-Agent") == ["tests"]
        assert amazon.sent(service, "Accept-Encoding") == ["identity"]
    assert amazon.requests[0].body == (
        "grant_type=client_credentials&client_id=id&client_secret=secret"
        "&scope=adx_reporting%3A%3Aappstore%3Amarketer"
    )


@pytest.mark.parametrize(
    ("api_url", "period", "target"),
    [
        ("http://127.0.0.1:2//", "2024-03", "/api/appstore/download/report/sales/2024/03"),
        ("http://localhost:2/amazon/", "2024", "/amazon/api/appstore/download/report/sales/2024"),
    ],
)
def test_api_url_may_have_a_path_and_a_period_may_be_a_year(
    amazon: Amazon, api_url: str, period: str, target: str
) -> None:
    fetch(amazon.client(api_url=api_url), period=period)

    assert amazon.requests[1].target == target


@pytest.mark.parametrize(
    "target",
    [
        "//leading/and//inner",
        "/a%2fb%2Fc/%7e~/./../",
        "/'a\"|b[c]{d}^`<>~",
        "/stray%/100%zz?x=%&y=%2&z=|[]",
        "/?",
        "/a?b?c=/d//e",
    ],
)
def test_presigned_urls_are_requested_byte_for_byte(
    amazon: Amazon, client: ReportingClient, target: str
) -> None:
    amazon.url = f"http://127.0.0.1:3{target}"

    assert content(fetch(client)) == FILE
    assert amazon.requests[-1].target == target


@pytest.mark.parametrize(
    "body",
    [
        ' "URL"\r\n',
        "'URL'",
        "\ufeffURL\n",
        '{"url": "URL"}',
        '{"expires": 300, "note": "five minutes", "u": "URL"}',
    ],
)
def test_presigned_urls_may_be_wrapped(amazon: Amazon, client: ReportingClient, body: str) -> None:
    amazon.put("api", response(200, body.replace("URL", amazon.url)))

    assert content(fetch(client)) == FILE


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the machine's time zone."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Wed, 03 Apr 2024 12:30:00 GMT", "2024-04-03 12:30:00+00:00"),
        ("Wed, 03 Apr 2024 12:30:00 -0000", "2024-04-03 12:30:00+00:00"),
        ("Wed, 03 Apr 2024 12:30:00 +0200", "2024-04-03 10:30:00+00:00"),
        ("Wed Apr  3 12:30:00 2024", "2024-04-03 12:30:00+00:00"),
        ("Thu, 01 Jan 2015 00:00:00 GMT", "2015-01-01 00:00:00+00:00"),
        ("Wed, 31 Dec 2014 23:59:59 GMT", "warning"),
        ("Fri, 31 Dec 9999 23:59:59 -2300", "warning"),
        (format_datetime(datetime.now(timezone.utc) + timedelta(days=2)), "warning"),
        ("yesterday", "warning"),
        (None, "now"),
    ],
    ids=range(10),
)
@pytest.mark.usefixtures("tokyo")
def test_last_modified_is_utc_and_must_be_credible(
    amazon: Amazon, caplog: pytest.LogCaptureFixture, header: str | None, expected: str
) -> None:
    amazon.put("bucket", response(200, FILE, **({"Last_Modified": header} if header else {})))
    before = datetime.now(timezone.utc).replace(microsecond=0)

    download = fetch(amazon.client())

    assert isinstance(download, Download)
    assert download.version == FileVersion(None, header)
    if expected.startswith("2"):
        assert str(download.last_modified) == expected
    else:
        assert before <= download.last_modified <= datetime.now(timezone.utc)
        assert download.last_modified.microsecond == 0
    assert ("sales 2024-03: the Last-Modified header" in caplog.text) == (expected == "warning")


def test_a_clock_that_is_slow_leaves_last_modified(amazon: Amazon, client: ReportingClient) -> None:
    moment = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=12)
    amazon.put("bucket", response(200, FILE, Last_Modified=format_datetime(moment)))

    download = fetch(client)

    assert isinstance(download, Download)
    assert download.last_modified == moment


# ------------------------------------------------------------------------------------- no report


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        ("Report not found", {400}),
        ('"REPORT NOT FOUND."\n', {400}),
        ('{"Message": "Sorry, report  not\\u0020found for this month (Report_Not_Found)"}', {400}),
        (f"<html><body>{NOT_AVAILABLE}</body></html>", {400, 403}),
        (json.dumps({"message": f"{NOT_AVAILABLE}: {HEAD_OBJECT}"}), {400, 403}),
        (HEAD_OBJECT, {403}),
        ("HeadObject", set()),
        ("Forbidden", set()),
        ("Report is not there", set()),
    ],
)
def test_no_report_is_a_known_body_with_a_status_that_it_is_known_with(
    amazon: Amazon, body: str, statuses: set[int]
) -> None:
    found = set()
    for status in (200, 201, 302, 400, 401, 403, 404, 410, 418, 429, 500, 503):
        amazon.always("api", response(status, body))
        try:
            outcome = fetch(amazon.client(attempts=1, outage=0, rate_limit=0))
        except FatalSyncError:
            continue
        assert outcome is Outcome.NO_REPORT
        found.add(status)

    assert found == statuses
    assert amazon.count("bucket") == 0


def test_no_report_is_asked_for_once(amazon: Amazon, client: ReportingClient) -> None:
    amazon.always("api", response(400, "Report not found"))

    assert fetch(client) is Outcome.NO_REPORT
    assert not client.find_report("sales", MONTH)
    assert (amazon.count("lwa"), amazon.count("api")) == (1, 2)


@pytest.mark.parametrize("service", ["api", "bucket"])
def test_an_empty_response_is_no_report_unless_a_file_is_known(
    amazon: Amazon, client: ReportingClient, service: str
) -> None:
    amazon.put(service, response(200, ""))
    assert content(fetch(client)) == FILE, "a fresh download"
    assert amazon.clock.waits == []

    amazon.always(service, response(200, " \r\n" if service == "api" else ""))
    assert fetch(client) is Outcome.EMPTY
    assert client.find_report("sales", MONTH) == (service == "bucket")
    assert "empty response, though an earlier run found a report" in failure(client, VERSION)


# ------------------------------------------------------------------------------------- unchanged


@pytest.mark.parametrize(
    ("known", "sent"),
    [
        (VERSION, ("If-None-Match", '"1"')),
        (FileVersion('W/"1"', None), ("If-None-Match", 'W/"1"')),
        (FileVersion(None, LAST_MODIFIED), ("If-Modified-Since", LAST_MODIFIED)),
    ],
)
def test_a_known_version_is_not_downloaded_again(
    amazon: Amazon, client: ReportingClient, known: FileVersion, sent: tuple[str, str]
) -> None:
    assert fetch(client, known) is Outcome.UNCHANGED
    header, value = sent
    assert amazon.sent("bucket", header) == [value]
    conditions = [amazon.sent("bucket", h)[0] for h in ("If-None-Match", "If-Modified-Since")]
    assert len([condition for condition in conditions if condition]) == 1


@pytest.mark.parametrize(
    "known",
    [
        None,
        FileVersion(None, None),
        FileVersion("", ""),
    ],
)
def test_without_a_condition_304_is_not_unchanged(
    amazon: Amazon, client: ReportingClient, known: FileVersion | None
) -> None:
    amazon.put("bucket", response(304))

    assert content(fetch(client, known)) == FILE
    assert amazon.sent("bucket", "If-None-Match") == [None, None]
    assert amazon.sent("bucket", "If-Modified-Since") == [None, None]
    amazon.always("bucket", response(304))
    assert failure(client).startswith("HTTP 304 from the bucket for the presigned URL; 6 attempts")


@pytest.mark.parametrize("status", [400, 403, 404, 416, 503])
def test_an_error_in_answer_to_a_condition_is_not_unchanged(
    amazon: Amazon, client: ReportingClient, status: int
) -> None:
    amazon.put("bucket", response(status))

    assert fetch(client, VERSION) is Outcome.UNCHANGED
    assert amazon.count("bucket") == 2


def test_headers_identify_a_version_if_conditions_are_ignored(
    amazon: Amazon, client: ReportingClient
) -> None:
    amazon.always("bucket", response(200, FILE, ETag='"1"', Last_Modified=LAST_MODIFIED))

    assert fetch(client, VERSION) is Outcome.UNCHANGED
    assert content(fetch(client, VERSION._replace(etag='"2"'))) == FILE
    without_etag = FileVersion(None, "Tue, 02 Apr 2024 12:30:00 GMT")
    amazon.always("bucket", response(200, FILE, Last_Modified=LAST_MODIFIED))
    assert content(fetch(client, without_etag)) == FILE
    amazon.always("bucket", response(200, FILE))
    assert content(fetch(client, FileVersion(None, None))) == FILE


# ------------------------------------------------------------------------ the check of a download


@pytest.mark.parametrize(
    ("answer", "is_complete"),
    [
        (response(200, FILE), True),
        (raw_response(200, [FILE], {}), False),
        (raw_response(200, chunked(b"the", b" file"), {"Transfer-Encoding": "chunked"}), True),
        (response(200, gzip.compress(FILE), Content_Encoding="gzip"), True),
    ],
    ids=["length", "until closed", "chunked", "compressed on the way"],
)
def test_the_check_is_told_whether_the_body_is_whole(
    amazon: Amazon, client: ReportingClient, answer: Response, *, is_complete: bool
) -> None:
    checks = []

    def check(file: IO[bytes], *, is_complete: bool) -> None:
        file.seek(0)
        checks.append((file.read(), is_complete))

    amazon.put("bucket", answer)

    assert content(fetch(client, check=check)) == FILE
    assert checks == [(FILE, is_complete)]


def test_a_download_that_fails_its_check_is_downloaded_again_if_that_can_help(
    amazon: Amazon, client: ReportingClient
) -> None:
    errors: list[Exception] = [RetriableSyncError("bad CRC"), FatalSyncError("encrypted")]
    files = []

    def check(file: IO[bytes], *, is_complete: bool) -> None:  # noqa: ARG001
        files.append(file)
        raise errors.pop(0)

    with pytest.raises(FatalSyncError, match=r"^sales 2024-03: encrypted$"):
        fetch(client, check=check)

    assert amazon.count("bucket") == 2
    assert [file.closed for file in files] == [True, True]


# --------------------------------------------------------------------------------- refused access


def test_a_refused_token_is_replaced_once(amazon: Amazon, client: ReportingClient) -> None:
    amazon.put("api", response(401, "no"))

    assert content(fetch(client)) == FILE
    assert amazon.sent("api", "Authorization") == ["Bearer Atc|1", "Bearer Atc|2"]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("report", "words"),
    [
        ("subscription", "that the account's role includes the subscription report"),
        ("earnings", "that the account's role and the profile's scope include the earnings report"),
    ],
)
def test_denied_access_says_what_to_check_and_how_to_do_without(
    amazon: Amazon, client: ReportingClient, status: int, report: str, words: str
) -> None:
    amazon.always("api", response(status, '{"Message": "Request is not authorized."}'))

    with pytest.raises(AccessDeniedError) as error:
        client.fetch(report, MONTH, None, accept)

    assert str(error.value).startswith(f"{report} 2024-03: access denied (HTTP {status}). ")
    assert "attached to the Reporting API" in str(error.value)
    assert words in str(error.value)
    assert "meltano select --exclude" in str(error.value)
    assert (amazon.count("lwa"), amazon.count("api")) == (2, 2)


# -------------------------------------------------------------------------- failures that persist


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (response(200, "Report not found"), "contains no https URL. Check api_url."),
        (response(200, "http://example.com/"), "contains no https URL"),
        (response(200, "https://["), "contains no https URL"),
        (response(200, "https://localhost:port/"), "contains no https URL"),
        (response(200, "http://remote\\@127.0.0.1/"), "contains no https URL"),
        (response(200, "https://user:password@example.com/"), "contains no https URL"),
        (response(200, '{"url": "https://example.com/a b"}'), "contains no https URL"),
        (response(200, "7"), "contains no https URL"),
        (response(200, "[" * 30_000), "contains no https URL"),
        (response(200, "https://example.com/" + "a" * 70_000), "127.0.0.1 is longer than 64 KB."),
        (response(201, "https://example.com/"), "HTTP 201 from the Reporting API. Check api_url."),
        (response(299, ""), "HTTP 299 from the Reporting API. Check api_url."),
        (response(300, ""), "HTTP 300 from the Reporting API (a redirect, which is not followed)."),
        (response(302, "", Location="https://example.com/"), "(a redirect, which is not followed)"),
        (response(399, ""), "HTTP 399 from the Reporting API (a redirect, which is not followed)."),
        (response(418, "[]"), "HTTP 418 from the Reporting API. Check api_url."),
        (response(400, '{"Message": null}'), "HTTP 400 from the Reporting API. Check api_url."),
        (response(407, "no"), "HTTP 407 from the Reporting API. Check api_url."),
    ],
)
def test_other_responses_fail_at_once(
    amazon: Amazon, client: ReportingClient, answer: Response, words: str
) -> None:
    amazon.always("api", answer)

    assert words in failure(client)
    assert (amazon.count("api"), amazon.count("bucket")) == (1, 0)


def test_amazons_own_message_is_quoted_without_secrets(
    amazon: Amazon, client: ReportingClient
) -> None:
    message = (
        "Unable to fetch\n the request scope for uri = /api/x and verb = GET; see "
        "https://s3.example/a?X-Amz-Signature=b, token Atc|abc, id amzn1.application.1, "
        f"Bearer 123 {'k' * 40} X-Amz-Signature=c \x1b[31m" + " end" * 100
    )
    amazon.put("api", response(400, json.dumps({"Message": message})))

    sentence = failure(client)

    assert sentence.startswith(
        'HTTP 400 from the Reporting API: "Unable to fetch the request scope for uri = /api/x and '
        "verb = GET; see … token … id … … … … [31m end end"
    )
    assert len(sentence) < 200 + 60
    amazon.put("api", response(400, "<html><b>Bad</b> month</html>"))
    assert failure(client) == 'HTTP 400 from the Reporting API: "Bad month". Check api_url.'


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, {"error": "invalid_client"}, "(invalid_client). Check client_id and client_secret"),
        (400, {"error": "invalid_scope"}, "My Settings > API Access > Reporting API > Attach"),
        (400, {"error": "invalid_request"}, "(invalid_request). Check client_id, client_secret"),
        (
            400,
            {"error": "a\nb"},
            "Login with Amazon: HTTP 400, no token in the response. Check auth_url",
        ),
        (200, {"access_token": 7}, "Login with Amazon: HTTP 200, no token in the response"),
        (200, {"access_token": "a\nb"}, "Login with Amazon: HTTP 200, no token in the response"),
        (200, {"access_token": "\u2603"}, "Login with Amazon: HTTP 200, no token in the response"),
        (201, {"access_token": "a"}, "Login with Amazon: HTTP 201, no token in the response"),
        (307, {"access_token": "a"}, "Login with Amazon: HTTP 307, no token in the response"),
        (200, "[" * 60_000, "Login with Amazon: HTTP 200, no token in the response"),
        (200, "<html>Sign in</html>", "Login with Amazon: HTTP 200, no token in the response"),
    ],
)
def test_a_refused_sign_in_fails_at_once(
    amazon: Amazon, client: ReportingClient, status: int, body: object, words: str
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    amazon.always("lwa", response(status, text, Location="http://127.0.0.1:1/elsewhere"))

    with pytest.raises(FatalConnectionError) as error:
        fetch(client)

    assert words in str(error.value)
    assert [request.service for request in amazon.requests] == ["lwa"]


@pytest.mark.parametrize("expires_in", ['"soon"', "1e999", "NaN", "-1", "0", "1" + 30 * "0"])
def test_an_incredible_token_lifetime_counts_as_an_hour(
    amazon: Amazon, client: ReportingClient, expires_in: str
) -> None:
    amazon.always("lwa", response(200, f'{{"access_token": "a", "expires_in": {expires_in}}}'))

    fetch(client)
    fetch(client)

    assert amazon.count("lwa") == 1


def test_answers_are_read_to_64_kb(amazon: Amazon, client: ReportingClient) -> None:
    bomb = gzip.compress(bytes(200 * 2**20))
    for service in ("lwa", "api"):
        amazon.put(service, response(200, bomb, Content_Encoding="gzip"))
        with memory_below(8 * 2**20):
            assert failure(client)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "(No space left on device). Free space in the directory for temporary"),
        (errno.EMFILE, "(Too many open files). Raise its limits (ulimit -n)"),
    ],
)
def test_a_download_that_cannot_be_written_fails_at_once(
    amazon: Amazon,
    client: ReportingClient,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    words: str,
) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())

    assert failure(client).startswith(f"the download could not be written to disk {words}")
    assert amazon.count("bucket") == 1


# ------------------------------------------------------------------------------ failures that heal


CUT_SHORT: Response = response(200, "a response that is cut off")
CUT_SHORT[-1] = b"half"

TRANSIENT: list[tuple[str, Response, str]] = [
    ("api", response(408), "HTTP 408 from the Reporting API"),
    ("api", response(404, "Report not found"), "HTTP 404 from the Reporting API"),
    ("api", response(500, NOT_AVAILABLE), "HTTP 500 from the Reporting API"),
    ("api", response(503, "x" * 100_000), "HTTP 503 from the Reporting API"),
    ("api", [], "no response from 127.0.0.1"),
    ("api", CUT_SHORT, "response cut off after 4 bytes"),
    ("api", response(200, "no gzip", Content_Encoding="gzip"), "response cut off after 0 bytes"),
    ("api", [TimeoutError()], "no response from 127.0.0.1 (ReadTimeout)"),
    ("api", [ConnectionResetError(104, "Connection reset by peer")], "(Connection reset by peer)"),
    ("lwa", response(503), "HTTP 503 from Login with Amazon"),
    ("lwa", CUT_SHORT, "response cut off after 4 bytes"),
    ("bucket", response(404), "HTTP 404 from the bucket"),
    ("bucket", response(503), "HTTP 503 from the bucket"),
    ("bucket", response(403), "HTTP 403 from the bucket for the presigned URL"),
    ("bucket", response(206, FILE), "HTTP 206 from the bucket for the presigned URL"),
    ("bucket", response(307, Location="/"), "HTTP 307 from the bucket for the presigned URL"),
    ("bucket", CUT_SHORT, "response cut off after 4 bytes (ProtocolError)"),
    ("bucket", [*CUT_SHORT, TimeoutError()], "response cut off after 4 bytes (ReadTimeoutError)"),
]


@pytest.mark.parametrize(("service", "answer", "words"), TRANSIENT)
def test_transient_failures_are_retried_for_30_seconds_and_then_named(
    amazon: Amazon, caplog: pytest.LogCaptureFixture, service: str, answer: Response, words: str
) -> None:
    amazon.put(service, answer)

    assert content(fetch(amazon.client())) == FILE
    assert amazon.clock.waits == [1]
    assert amazon.count(service) == 2
    # A presigned URL lives for minutes only: each download has a fresh one.
    assert amazon.count("api") == (1 if service == "lwa" else 2)
    assert "sales 2024-03: attempt 1 failed" in caplog.text
    assert words in caplog.text

    amazon.clock.waits.clear()
    amazon.always(service, answer)
    sentence = failure(amazon.client())

    assert words in sentence
    assert "; 6 attempts in 31 s. " in sentence
    assert "gain to resume." in sentence
    assert ("check api_url" in sentence) == ("404" in words)
    assert amazon.clock.waits == [1, 2, 4, 8, 16]


def test_rate_limits_are_waited_for_five_minutes(amazon: Amazon, client: ReportingClient) -> None:
    amazon.always("api", response(429))

    with pytest.raises(RateLimitError, match=r"HTTP 429 .*attempts in .*requests_per_second"):
        fetch(client)

    waits = amazon.clock.waits
    assert waits[0] >= 1
    assert all(earlier < later for earlier, later in itertools.pairwise(waits))
    assert 300 <= sum(waits) < 420


def test_retry_after_is_honoured(amazon: Amazon, client: ReportingClient) -> None:
    later = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=50), usegmt=True)
    amazon.put("api", *(response(429, Retry_After=v) for v in ("7", "0", "soon", "-1")))
    amazon.put("bucket", response(503, Retry_After="100"), response(503, Retry_After=later))

    assert content(fetch(client)) == FILE

    first, second, third, fourth, fifth, sixth = amazon.clock.waits
    assert (first, second, third, fourth) == (7, 1.5, 1.5**2, 1.5**3)
    assert fifth == 100
    assert 45 < sixth <= 50


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("seconds", "understood"), [("301", 301), ("86400", 86400), ("9" * 400, 10**9)]
)
def test_a_retry_after_that_is_too_long_fails_at_once_and_names_the_time(
    amazon: Amazon, client: ReportingClient, status: int, seconds: str, understood: int
) -> None:
    amazon.always("api", response(status, Retry_After=seconds))
    now = datetime.now(timezone.utc)

    sentence = failure(client)

    assert sentence.startswith(f"HTTP {status} from the Reporting API with Retry-After: ")
    times = [now + timedelta(seconds=understood + late) for late in (0, 60)]
    assert any(
        sentence.endswith(f": {understood} s. Run again after {time:%Y-%m-%d %H:%M} UTC.")
        for time in times
    )
    assert amazon.count("api") == 1


@pytest.mark.parametrize("service", ["lwa", "api", "bucket"])
@pytest.mark.parametrize(("seconds", "fails"), [(1.0, True), (0.0005, False)])
def test_a_transfer_below_one_kilobyte_a_second_fails_after_a_minute(
    amazon: Amazon, service: str, seconds: float, *, fails: bool
) -> None:
    def trickle(_: Request) -> Response:
        body = getattr(amazon, f"_{service}")(None)[-1] if service != "bucket" else FILE
        pieces: list[Piece] = [b" "]
        pieces += [lambda: amazon.clock.sleep(seconds), b" "] * 200
        return raw_response(200, [*pieces, body], {})

    amazon.always(service, trickle)
    client = amazon.client(attempts=1, outage=0)

    if not fails:
        assert content(fetch(client)).endswith(FILE)
        return
    assert "the transfer is too slow: 61 bytes in 60 s, less than 1 KB/s; 1 attempt" in (
        failure(client)
    )


def test_the_rate_of_a_transfer_is_that_of_each_minute(amazon: Amazon) -> None:
    def wait() -> None:
        amazon.clock.sleep(1)

    client = amazon.client(attempts=1, outage=0)
    amazon.always("bucket", raw_response(200, [b"x" * 4096, wait] * 200, {}))
    assert len(content(fetch(client))) == 200 * 4096
    trickle: list[Piece] = [wait, b" "]
    amazon.always("bucket", raw_response(200, [b"x" * 10**6, *trickle * 300], {}))
    assert "the transfer is too slow" in failure(client)


def test_a_silent_server_is_given_up_after_a_minute(
    amazon: Amazon, client: ReportingClient
) -> None:
    assert content(fetch(client)) == FILE

    assert amazon.connect_timeouts == [10, 10, 10]
    assert {*amazon.read_timeouts} == {60}


def test_failures_that_take_long_are_tried_five_times(
    amazon: Amazon, client: ReportingClient
) -> None:
    def answer(_: Request) -> Response:
        amazon.clock.sleep(60)
        return response(503)

    amazon.always("api", answer)
    assert "; 5 attempts in " in failure(client)


# ----------------------------------------------------------------------------------- many periods


def publish_slowly(amazon: Amazon, slow: str, go_on: threading.Event) -> threading.Event:
    """Let the download of one period wait for an event; the files contain their URLs.

    Returns:
        What is set when that download has begun.
    """
    has_begun = threading.Event()

    def name_file(request: Request) -> Response:
        return response(200, f"http://127.0.0.1:3{request.target}")

    def answer(request: Request) -> Response:
        if request.target.endswith(slow):
            has_begun.set()
            go_on.wait(10)
        return response(200, request.target[-7:])

    amazon.always("api", name_file)
    amazon.always("bucket", answer)
    return has_begun


def test_periods_come_in_order_whichever_is_downloaded_first(
    amazon: Amazon, client: ReportingClient
) -> None:
    go_on = threading.Event()
    publish_slowly(amazon, "2024/01", go_on)
    results = client.fetch_all("sales", ["2024-01", "2024-02", "2024-03"], {}, accept)
    threading.Timer(0.1, go_on.set).start()

    assert [(period, content(result)) for period, result in results] == [
        (period, period.replace("-", "/").encode()) for period in ("2024-01", "2024-02", "2024-03")
    ]


def test_a_period_that_fails_fails_in_its_turn(amazon: Amazon, client: ReportingClient) -> None:
    def refuse(request: Request) -> Response:
        return response(418 if "02" in request.target[-2:] else 400, "report not found")

    amazon.always("api", refuse)
    results = client.fetch_all("sales", ["2024-01", "2024-02", "2024-03"], {}, accept)

    assert next(results) == ("2024-01", Outcome.NO_REPORT)
    with pytest.raises(FatalSyncError, match=r"^sales 2024-02: HTTP 418"):
        next(results)


def test_versions_are_known_by_period(client: ReportingClient) -> None:
    results = dict(client.fetch_all("sales", ["2024-01", "2024"], {"2024": VERSION}, accept))

    assert isinstance(results["2024-01"], Download)
    assert results["2024"] is Outcome.UNCHANGED


def test_a_few_periods_are_downloaded_ahead_and_no_more(
    amazon: Amazon, client: ReportingClient
) -> None:
    periods = [f"2023-{month:02}" for month in range(1, 13)]
    results = client.fetch_all("sales", periods, {}, accept)

    next(results)
    deadline = time.monotonic() + 10
    while amazon.count("bucket") < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)

    assert amazon.count("bucket") == 6
    results.close()  # type: ignore[attr-defined]


def test_closing_the_iterator_waits_for_no_download_and_leaves_no_file(
    amazon: Amazon, client: ReportingClient, files: list[IO[bytes]]
) -> None:
    go_on = threading.Event()
    has_begun = publish_slowly(amazon, "2024/02", go_on)
    results = client.fetch_all("sales", ["2024-01", "2024-02"], {}, accept)
    _, first = next(results)
    assert has_begun.wait(10)
    started = time.monotonic()

    results.close()  # type: ignore[attr-defined]

    assert time.monotonic() - started < 5
    assert content(first) == b"2024/01"
    go_on.set()
    join_threads()
    assert [file.closed for file in files] == [False, True]


@pytest.mark.parametrize(
    ("rate", "starts"),
    [
        (3, [0, 0, 0, 1.05, 1.05, 1.05, 2.1]),
        (2.5, [0, 0, 0, 1.25, 1.25, 1.25, 2.5]),
        (0.5, [0, 2.05, 4.1]),
    ],
)
def test_requests_wait_for_their_slots(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch, rate: float, starts: list[float]
) -> None:
    monkeypatch.setattr("pyrate_limiter.limiter.sleep", amazon.clock.sleep)
    monkeypatch.setattr(
        "pyrate_limiter.clocks.monotonic_ns", lambda: round(amazon.clock() * 1e9) + 10**12
    )
    client = amazon.client(requests_per_second=rate)
    times = []

    def note(_: Request) -> Response:
        times.append(amazon.clock())
        return response(400, "Report not found")

    amazon.always("api", note)
    for _ in starts:
        fetch(client)

    # The limiter adds a millisecond.
    assert times == pytest.approx(starts, abs=0.0025)


def test_only_errors_that_end_a_stream_are_prefixed() -> None:
    class OwnError(FatalSyncError):
        pass

    with pytest.raises(OwnError, match=r"^sales 2024-03: what$"), error_context("sales", MONTH):
        raise OwnError("what")  # noqa: EM101
    with pytest.raises(io.UnsupportedOperation), error_context("sales", MONTH):
        raise io.UnsupportedOperation
