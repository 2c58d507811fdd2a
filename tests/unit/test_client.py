"""What the client makes of Amazon's answers, without the command around it."""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import threading
import time
from contextlib import closing
from datetime import date, datetime, timezone
from functools import partial
from typing import IO, TYPE_CHECKING

import pytest
from singer_sdk.exceptions import FatalSyncError
from werkzeug import Response

from sandbox import make_csv, make_zip
from sandbox.faults import cut_short
from tap_amazon_appstore import http
from tap_amazon_appstore.auth import LoginWithAmazon
from tap_amazon_appstore.client import (
    Download,
    FileIdentity,
    Outcome,
    ReportingClient,
    error_context,
)
from tap_amazon_appstore.http import is_secure
from tap_amazon_appstore.months import add_months
from tests.conftest import pausing
from tests.data import MONTH, NEXT_MONTH, publish, sales

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox import Account
    from sandbox.calls import Call, Service
    from sandbox.faults import Answer, Behaviour

# Requests are counted: none is to be made again because it came too fast.
pytestmark = pytest.mark.unlimited

FEBRUARY = date(2024, 2, 1)
WRITTEN = datetime(2024, 4, 3, 12, 30, tzinfo=timezone.utc)

NOT_AVAILABLE = "Report Not Available: You are attempting to copy a file"
HEAD_OBJECT = "An error occurred (403) when calling the HeadObject operation: Forbidden"


class Client(ReportingClient):
    """A client whose downloads are closed when it is."""

    def __init__(self, account: Account, api_url: str | None = None) -> None:
        settings = account.settings
        super().__init__(
            api_url=api_url or settings["api_url"],
            authenticator=LoginWithAmazon(
                client_id=settings["client_id"],
                client_secret=settings["client_secret"],
                auth_url=settings["auth_url"],
            ),
            user_agent="tests",
        )
        self._files: list[IO[bytes]] = []
        self._closed = False

    def fetch(
        self, report: str, month: date, known: FileIdentity | None = None
    ) -> Download | Outcome:
        result = super().fetch(report, month, known)
        if isinstance(result, Download):
            self._files.append(result.file)
            if self._closed:
                result.file.close()
        return result

    def close(self) -> None:
        self._closed = True
        for file in self._files:
            file.close()


@pytest.fixture
def client(account: Account) -> Iterator[Client]:
    """A client of the account."""
    with closing(Client(account)) as client:
        yield client


@pytest.fixture
def impatience() -> None:
    """Waits of a few hundredths of a second: such is this row of random numbers."""
    random.seed(SHORT_WAITS)


# The random numbers that follow are small, so are the waits made of them.
SHORT_WAITS = 168_042


@pytest.fixture
def short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second without a byte is too long, instead of a minute."""
    monkeypatch.setattr(http, "_TIMEOUT", (10, 0.5))


def without(*headers: str) -> Behaviour:
    """Leave headers out of the answer."""

    def leave_out(_: Call, answer: Answer) -> Response:
        response = answer()
        for name in headers:
            del response.headers[name]
        return response

    return leave_out


def late(seconds: float) -> Behaviour:
    """Answer as usual, but later."""

    def wait(_: Call, answer: Answer) -> Response:
        time.sleep(seconds)
        return answer()

    return wait


def silent_amid(seconds: float) -> Behaviour:
    """Answer as usual, but say nothing for a while amid the answer."""
    return pausing(partial(time.sleep, seconds))


def asked(account: Account, service: Service = "api") -> int:
    """Return how many requests a service has got."""
    return len([request for request in account.requests if request.service == service])


def headers_sent(account: Account, service: Service, name: str) -> list[str | None]:
    """Return what a header was in each request to a service."""
    return [r.headers.get(name) for r in account.requests if r.service == service]


def refusal(client: Client, month: date = MONTH) -> str:
    """Return the sentence with which a month cannot be read."""
    with pytest.raises(FatalSyncError) as error:
        client.fetch("sales", month)
    said = str(error.value)
    assert said.startswith(f"The sales report of {month:%Y-%m} could not be read: ")
    return said.partition(": ")[2]


# --------------------------------------------------------------------------------- where secrets go


@pytest.mark.parametrize(
    "url",
    [
        "https://developer.amazon.com",
        "https://localhost:1/path?query",
        "http://localhost",
        "http://127.0.0.1:8080/",
        "http://[::1]:8080/",
    ],
)
def test_secrets_go_through_tls_or_stay_on_the_machine(url: str) -> None:
    assert is_secure(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://developer.amazon.com",
        "http://127.0.0.2",
        "http://localhost.example.com",
        "ftp://localhost",
        "wss://developer.amazon.com",
        "ws://localhost",
        "https://",
        "https:///path",
        "https://[",
        "http://",
        "developer.amazon.com",
        "",
    ],
)
def test_secrets_go_nowhere_else(url: str) -> None:
    assert not is_secure(url)


# -------------------------------------------------------------------------------------- a month


def test_a_report_is_a_file_on_disk_with_what_tells_its_version(
    account: Account, client: Client
) -> None:
    content = make_zip({"sales.csv": make_csv(sales(3))})
    account.put_report("sales", MONTH, content, WRITTEN)

    download = client.fetch("sales", MONTH)

    assert isinstance(download, Download)
    assert download.file.read() == content
    assert download.size == len(content)
    assert download.last_modified == WRITTEN
    assert download.last_modified.tzinfo is timezone.utc
    assert download.identity.last_modified == "Wed, 03 Apr 2024 12:30:00 GMT"
    assert download.identity.etag
    assert download.identity.etag.strip('"')


def test_requests_say_who_asks_and_take_the_file_as_it_is(account: Account, client: Client) -> None:
    publish(account, MONTH)

    client.fetch("sales", MONTH)

    assert headers_sent(account, "api", "User-Agent") == ["tests"]
    assert headers_sent(account, "bucket", "User-Agent") == ["tests"]
    assert headers_sent(account, "bucket", "Accept-Encoding") == ["identity"]
    assert headers_sent(account, "bucket", "Authorization") == [None]
    assert account.requests[-2].path == "/api/appstore/download/report/sales/2024/03"


def test_a_slash_at_the_end_of_the_apis_url_does_not_matter(account: Account) -> None:
    publish(account, MONTH)

    with closing(Client(account, account.settings["api_url"] + "//")) as client:
        client.fetch("sales", MONTH)

    assert account.requests[-2].path == "/api/appstore/download/report/sales/2024/03"


def test_a_file_without_a_time_was_written_now(account: Account, client: Client) -> None:
    account.put_report("sales", MONTH, make_csv(sales(3)), WRITTEN)
    account.inject_fault("bucket", without("Last-Modified"), times=None)
    before = datetime.now(timezone.utc).replace(microsecond=0)

    download = client.fetch("sales", MONTH)

    assert isinstance(download, Download)
    assert before <= download.last_modified <= datetime.now(timezone.utc)
    assert download.last_modified.microsecond == 0
    assert download.identity.last_modified is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("Report not found", 400),
        ('"Report not found."\n', 400),
        ('{"Message": "REPORT NOT FOUND"}', 400),
        (json.dumps({"message": f"{NOT_AVAILABLE}: {HEAD_OBJECT}"}), 403),
        (f" {NOT_AVAILABLE}", 400),
        (NOT_AVAILABLE, 404),
        (NOT_AVAILABLE, 200),
        (HEAD_OBJECT, 403),
    ],
)
def test_answers_that_say_that_there_is_no_report(
    account: Account, client: Client, body: str, status: int
) -> None:
    account.inject_fault("api", Response(body, status), times=None)

    assert client.fetch("sales", MONTH) is Outcome.NO_REPORT
    assert client.may_read("sales", MONTH)
    assert (asked(account, "lwa"), asked(account)) == (1, 2)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("Report not found", 200, "without the URL of a file; check api_url"),
        ("Report not found, sorry", 400, "refused the request (400); check api_url"),
        ("HeadObject", 400, "refused the request (400); check api_url"),
        ("Forbidden", 400, "refused the request (400); check api_url"),
        ('{"Message": null}', 400, "refused the request (400); check api_url"),
        ("[]", 418, "refused the request (418); check api_url"),
        ("7", 200, "without the URL of a file; check api_url"),
        ("{}", 200, "without the URL of a file; check api_url"),
        ('{"url": "https://example.com/a b"}', 200, "without the URL of a file; check api_url"),
        ("http://example.com/", 200, "without the URL of a file; check api_url"),
        ("https://example.com/", 201, "refused the request (201); check api_url"),
    ],
)
def test_answers_that_say_nothing_known(
    account: Account, client: Client, body: str, status: int, words: str
) -> None:
    account.inject_fault("api", Response(body, status), times=None)

    assert words in refusal(client)
    assert (asked(account), asked(account, "bucket")) == (1, 0)


def test_a_redirect_is_not_followed(account: Account, client: Client) -> None:
    redirect = Response("", 302, {"Location": account.sign_in_url})
    account.inject_fault("api", redirect, times=None)

    assert "a redirect (302), and none is followed; check api_url" in refusal(client)
    assert [request.service for request in account.requests] == ["lwa", "api"]


# ------------------------------------------------------------------------------ unchanged reports


def test_a_known_version_is_not_downloaded_again(account: Account, client: Client) -> None:
    publish(account, MONTH)
    download = client.fetch("sales", MONTH)
    assert isinstance(download, Download)
    by_tag = download.identity
    by_time = FileIdentity(None, by_tag.last_modified)

    assert client.fetch("sales", MONTH, by_tag) is Outcome.UNCHANGED
    assert client.fetch("sales", MONTH, by_time) is Outcome.UNCHANGED

    tags = headers_sent(account, "bucket", "If-None-Match")
    times = headers_sent(account, "bucket", "If-Modified-Since")
    assert tags == [None, by_tag.etag, None]
    assert times == [None, None, by_time.last_modified]
    assert [r.status for r in account.requests if r.service == "bucket"] == [200, 304, 304]


def test_without_a_condition_the_headers_tell(account: Account, client: Client) -> None:
    publish(account, MONTH)
    download = client.fetch("sales", MONTH)
    assert isinstance(download, Download)
    account.fail("bucket-ignores-conditions", times=None)

    assert client.fetch("sales", MONTH, download.identity) is Outcome.UNCHANGED
    other = download.identity._replace(etag='"another"')
    assert isinstance(client.fetch("sales", MONTH, other), Download)
    assert isinstance(client.fetch("sales", MONTH, FileIdentity(None, None)), Download)


def test_a_file_that_nothing_identifies_is_always_downloaded(
    account: Account, client: Client
) -> None:
    publish(account, MONTH)
    account.inject_fault("bucket", without("ETag", "Last-Modified"), times=None)
    download = client.fetch("sales", MONTH)
    assert isinstance(download, Download)

    assert isinstance(client.fetch("sales", MONTH, download.identity), Download)


# ---------------------------------------------------------------------------------- refused tokens


def test_a_refused_token_gets_one_fresh_one(account: Account, client: Client) -> None:
    publish(account, MONTH)
    account.inject_fault("api", Response("no", 401))

    assert isinstance(client.fetch("sales", MONTH), Download)
    assert (asked(account, "lwa"), asked(account)) == (2, 2)
    first, second = headers_sent(account, "api", "Authorization")
    assert first != second


@pytest.mark.parametrize("status", [401, 403])
def test_a_report_that_the_account_may_not_read(
    account: Account, client: Client, status: int
) -> None:
    account.inject_fault("api", Response("no", status), times=None)

    said = refusal(client)

    assert f"the account may not read it ({status} not authorized)" in said
    assert "check that its security profile is attached to the Reporting API" in said
    assert asked(account) == 2
    assert not client.may_read("sales", MONTH)


def test_whether_the_account_may_read_is_asked_without_reading(
    account: Account, client: Client
) -> None:
    publish(account, MONTH)

    assert client.may_read("sales", MONTH)
    assert client.may_read("sales", NEXT_MONTH)
    assert asked(account, "bucket") == 0

    account.inject_fault("api", Response("", 503))
    assert client.may_read("sales", MONTH)

    account.inject_fault("api", Response("what?", 400), times=None)
    with pytest.raises(FatalSyncError, match=r"sales report of 2024-03 could .*\(400\)"):
        client.may_read("sales", MONTH)


# -------------------------------------------------------------------------------- what waiting helps


PASSING: list[tuple[Service, Behaviour | Response, str]] = [
    ("api", Response("", 408), "the Reporting API answered 408"),
    ("api", Response("", 429), "the Reporting API answered 429"),
    ("api", Response("Report not found", 404), "the Reporting API answered 404"),
    ("api", Response(NOT_AVAILABLE, 500), "the Reporting API answered 500"),
    ("api", Response(NOT_AVAILABLE, 503), "the Reporting API answered 503"),
    ("bucket", Response("", 404), "the bucket answered 404"),
    ("bucket", Response("", 503), "the bucket answered 503"),
    ("bucket", Response("", 403), "the bucket refused the presigned URL (403)"),
    ("bucket", Response("", 206), "the bucket refused the presigned URL (206)"),
    ("bucket", Response("", 200), "the download is not a whole ZIP"),
    ("bucket", cut_short, "the download was cut short after"),
]


@pytest.mark.parametrize(("service", "behaviour", "_"), PASSING)
@pytest.mark.usefixtures("impatience")
def test_what_passes_leaves_no_trace(
    account: Account, client: Client, service: Service, behaviour: Behaviour | Response, _: str
) -> None:
    publish(account, MONTH)
    account.inject_fault(service, behaviour)

    download = client.fetch("sales", MONTH)

    assert isinstance(download, Download)
    assert download.file.read() == account.get_report("sales", MONTH)
    # A presigned URL lives for minutes only: each download has a fresh one.
    assert (asked(account), asked(account, "bucket")) == (2, 2 if service == "bucket" else 1)


@pytest.mark.parametrize(("service", "behaviour", "words"), PASSING)
@pytest.mark.usefixtures("impatience")
def test_what_does_not_pass_fails_after_five_tries(
    account: Account, client: Client, service: Service, behaviour: Behaviour | Response, words: str
) -> None:
    publish(account, MONTH)
    account.inject_fault(service, behaviour, times=None)

    said = refusal(client)

    assert words in said
    assert said.endswith(
        ", the last of 5 tries; run the tap again later, it goes on where it stopped"
    )
    assert asked(account, service) == 5
    assert asked(account) == 5


@pytest.mark.parametrize("silence", [late, silent_amid])
@pytest.mark.parametrize("service", ["lwa", "api", "bucket"])
@pytest.mark.usefixtures("impatience", "short_timeout")
def test_a_server_that_falls_silent_is_asked_again(
    account: Account,
    client: Client,
    caplog: pytest.LogCaptureFixture,
    service: Service,
    silence: Callable[[float], Behaviour],
) -> None:
    publish(account, MONTH)
    account.inject_fault(service, silence(1.5))

    assert isinstance(client.fetch("sales", MONTH), Download)

    assert "try 1 of 5" in caplog.text


def test_a_wait_that_the_server_asks_for_is_waited(account: Account, client: Client) -> None:
    publish(account, MONTH)
    account.inject_fault("bucket", Response("", 503, {"Retry-After": "1"}))
    started = time.monotonic()

    assert isinstance(client.fetch("sales", MONTH), Download)
    assert 1 <= time.monotonic() - started < 3

    account.inject_fault("api", Response("", 429, {"Retry-After": "301"}), times=None)
    assert "answered 429 and asks to wait 301 seconds; run the tap again after" in refusal(client)


@pytest.mark.skipif(os.name == "nt", reason="limits are POSIX's")
def test_a_disk_that_is_full_is_told(account: Account, client: Client) -> None:
    import resource  # noqa: PLC0415

    account.put_report("sales", MONTH, {"noise.csv": os.urandom(2**20)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**19, before[1]))
    try:
        said = refusal(client)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert said.startswith("its download cannot be kept on disk (File too large); make room in")
    assert asked(account) == 1


# --------------------------------------------------------------------------------- several months


def test_months_come_in_order_whichever_is_downloaded_first(
    account: Account, client: Client
) -> None:
    publish(account, FEBRUARY, NEXT_MONTH)
    account.inject_fault("bucket", late(0.5), month=FEBRUARY)

    results = list(client.fetch_all("sales", [FEBRUARY, MONTH, NEXT_MONTH], {}))

    assert [month for month, _ in results] == [FEBRUARY, MONTH, NEXT_MONTH]
    kinds = [result if isinstance(result, Outcome) else Download for _, result in results]
    assert kinds == [Download, Outcome.NO_REPORT, Download]


def test_known_versions_are_known_for_their_month(account: Account, client: Client) -> None:
    content = make_zip({"sales.csv": make_csv(sales(3))})
    for month in (FEBRUARY, MONTH):
        account.put_report("sales", month, content, WRITTEN)
    download = client.fetch("sales", FEBRUARY)
    assert isinstance(download, Download)

    results = dict(client.fetch_all("sales", [FEBRUARY, MONTH], {MONTH: download.identity}))

    assert isinstance(results[FEBRUARY], Download)
    assert results[MONTH] is Outcome.UNCHANGED


def test_a_failure_comes_at_its_month(account: Account, client: Client) -> None:
    publish(account, FEBRUARY, MONTH, NEXT_MONTH)
    account.inject_fault("api", Response("", 418), times=None, month=MONTH)
    results = client.fetch_all("sales", [FEBRUARY, MONTH, NEXT_MONTH], {})

    assert next(results)[0] == FEBRUARY
    with pytest.raises(FatalSyncError, match="sales report of 2024-03"):
        next(results)


def test_a_few_months_are_downloaded_ahead_and_no_more(account: Account, client: Client) -> None:
    months = [add_months(FEBRUARY, number) for number in range(12)]
    publish(account, *months)
    results = client.fetch_all("sales", months, {})

    next(results)
    deadline = time.monotonic() + 10
    while asked(account, "bucket") < 6 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.8)

    assert asked(account, "bucket") == 6
    results.close()  # type: ignore[attr-defined]
    time.sleep(0.8)
    assert asked(account, "bucket") == 6


def test_whoever_stops_reading_waits_for_no_download(account: Account, client: Client) -> None:
    ended = threading.Event()

    def hang(_: Call, answer: Answer) -> Response:
        ended.wait(10)
        return answer()

    publish(account, FEBRUARY, MONTH)
    account.inject_fault("bucket", hang, times=None, month=MONTH)
    results = client.fetch_all("sales", [FEBRUARY, MONTH], {})
    next(results)
    started = time.monotonic()

    results.close()  # type: ignore[attr-defined]

    assert time.monotonic() - started < 5
    ended.set()


def test_at_most_three_requests_in_a_second_and_close_to_it(
    account: Account, client: Client
) -> None:
    account.inject_fault("api", late(0.3), times=None)
    months = [add_months(FEBRUARY, number) for number in range(10)]

    list(client.fetch_all("sales", months, {}))

    times = sorted(request.time for request in account.requests if request.service == "api")
    assert len(times) == 10
    # Measured where they arrive, a little later and less evenly than they were sent.
    assert min(fourth - first for first, fourth in zip(times, times[3:], strict=False)) > 0.8
    assert times[-1] - times[0] < 3 * 1.4
    # They do not wait for each other's answers.
    assert any(later - earlier < 0.2 for earlier, later in itertools.pairwise(times))


def test_only_what_ends_a_run_is_given_a_name() -> None:
    named = r"^The sales report of 2024-03 could not be read: what$"
    with pytest.raises(FatalSyncError, match=named), error_context("sales", MONTH):
        raise FatalSyncError("what")  # noqa: EM101
    with pytest.raises(io.UnsupportedOperation), error_context("sales", MONTH):
        raise io.UnsupportedOperation
