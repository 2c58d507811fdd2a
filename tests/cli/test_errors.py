"""Three outcomes: data, "no report", or a failure in one sentence; never a silent hole."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import threading
from collections import Counter
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from werkzeug import Response

from sandbox import Fault, make_csv, make_zip
from sandbox.faults import REPORT_NOT_AVAILABLE, cut_short, drop
from tap_amazon_appstore.months import add_months
from tests.conftest import execute
from tests.data import EARNINGS, MONTH, publish, sale, sales, subscription
from tests.reading import STREAM_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox import Account, Request
    from sandbox.request import Answer, Service
    from tests.conftest import Run, Tap

# Requests are counted: none is to be made again because it came too fast.
pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("sales_alone")]

FEBRUARY = date(2024, 2, 1)
JANUARY = date(2024, 1, 1)
DECEMBER = date(2023, 12, 1)

DEBUG = {"LOGLEVEL": "DEBUG"}
FROM_FEBRUARY: dict[str, Any] = {"start_date": "2024-02-01"}

UNKNOWN_ROUTE = json.dumps(
    {"Message": "Unable to fetch the request scope for uri = /api/x and verb = GET"}
)


def end_early(request: Request, answer: Answer) -> Response:
    """End an answer early that does not say how long it would have been."""
    response = cut_short(request, answer)
    del response.headers["Content-Length"]
    response.headers["Connection"] = "close"
    return response


@pytest.fixture
def tls_url(tmp_path: Path) -> Iterator[str]:
    """The URL of a server whose certificate nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed_certificate(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with suppress(OSError), context.wrap_socket(connection, server_side=True):
                        pass

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"https://localhost:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def self_signed_certificate(directory: Path) -> Path:
    """Write a key and a certificate of localhost, valid for a day, to a PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = directory / "server.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    return path


def requests_for(account: Account, service: Service, month: date | None = None) -> list[Request]:
    """Return the requests to a service, for a month's report or in all."""
    return [r for r in account.requests if r.service == service and month in (None, r.month)]


def months_read(run: Run) -> dict[str, int]:
    """Return how many different line items of each month's report were read."""
    keys = [(record["report_month"], record["line_id"]) for record in run.records()]
    assert len(set(keys)) == len(keys), "something was emitted twice"
    return Counter(month for month, _ in keys)


def sentence(run: Run) -> str:
    """Return the one sentence with which a run failed; nothing else looks like a failure."""
    assert run.code == 1, run.stderr
    assert all(
        re.match(r"[-:,\d ]{23} \| (DEBUG|INFO|WARNING|ERROR) ", line)
        for line in run.stderr.splitlines()
    )
    assert not re.search(r"Traceback|X-Amz-|Atc\||oa2-cs", run.stderr), "secrets or noise"
    errors = run.log("ERROR")
    assert len(errors) == 1, errors
    return errors[0]


def fail_at_march(tap: Tap, *words: str) -> Run:
    """Run into a failure at March's report; what was read before it has to stay valid.

    The sentence has to hold `words`.
    """
    publish(tap.account, FEBRUARY)

    failed = tap.run(env=DEBUG, **FROM_FEBRUARY)

    said = sentence(failed)
    assert said.startswith("sales 2024-03: ")
    assert [word for word in words if word not in said] == [], said
    assert months_read(failed)["2024-02-01"] == 3
    assert failed.bookmark() == "2024-02-01"
    assert list(failed.state["bookmarks"]["sales"]["files"]) == ["2024-02-01"]
    return failed


def resume(tap: Tap, failed: Run) -> None:
    """Clear the faults; a second run resumes where the first one failed."""
    tap.account.faults.clear()
    publish(tap.account, MONTH)

    resumed = tap.read(state=failed.state, **FROM_FEBRUARY)

    assert months_read(resumed) == {"2024-03-01": 3}
    assert resumed.bookmark() == "2024-03-01"


class TestNoReport:
    """Only the known responses count as "no report for this month"."""

    def test_answers_that_say_so(self, tap: Tap) -> None:
        months = [add_months(JANUARY, number) for number in range(4)]
        publish(tap.account, *months)
        for month, fault in zip(
            months,
            ["report-not-found-text", "report-not-found-json", "report-not-available"],
            strict=False,
        ):
            tap.account.inject_fault(fault, None, "sales", month)
        not_available = json.dumps({"message": REPORT_NOT_AVAILABLE})
        tap.account.inject_fault(
            Fault("api", Response(not_available, 400)), times=None, month=months[3]
        )

        run = tap.read(start_date="2024-01-01", end_date="2024-04-01")

        assert run.records() == []
        assert len(requests_for(tap.account, "api")) == 4  # nothing is asked for twice
        assert "sales 2024-01 to 2024-04: no report" in run.log("INFO")
        assert run.log("WARNING") == [
            (
                "sales: no report found in any requested month. Check start_date, and which account the "
                "client ID belongs to."
            )
        ]

    def test_an_empty_response_is_a_warning(self, tap: Tap) -> None:
        tap.account.inject_fault(Fault("api", Response("")), times=None)

        run = tap.read()

        assert run.records() == []
        assert run.log("WARNING")[0] == (
            "sales 2024-03: the response was empty. It counts as no report yet."
        )

    def test_a_gap_between_reports_warns_once(self, tap: Tap) -> None:
        publish(tap.account, JANUARY, MONTH)

        run = tap.read(start_date="2023-12-01", end_date="2024-04-01")

        assert run.log("WARNING") == [
            "sales 2024-02: no report, though reports exist before and after it."
        ]
        assert [text for text in run.log("INFO") if "no report" in text] == [
            "sales 2023-12: no report",
            "sales 2024-04: no report",
        ]


class TestLoginWithAmazon:
    """Without a token nothing can be read, and the sentence says what to check."""

    def test_a_wrong_secret(self, tap: Tap) -> None:
        said = sentence(tap.run(client_secret=tap.account.client_secret[:-1]))

        assert said.startswith("sales 2024-03: Login with Amazon: sign-in failed (invalid_client)")

    def test_a_profile_that_is_not_attached(self, tap: Tap) -> None:
        tap.account.inject_fault("lwa-invalid-scope", times=None)

        said = sentence(tap.run())

        assert "(invalid_scope). The security profile is not attached" in said
        assert "My Settings > API Access > Reporting API > Attach" in said

    def test_down_for_a_while(self, tap: Tap) -> None:
        publish(tap.account, MONTH)
        tap.account.inject_fault("lwa-503")

        assert months_read(tap.read()) == {"2024-03-01": 3}
        assert len(requests_for(tap.account, "lwa")) == 2


class TestConnection:
    """What keeps a request from its server is named, and not retried if it cannot heal."""

    @pytest.mark.parametrize(
        ("variable", "value", "words"),
        [
            ("REQUESTS_CA_BUNDLE", "/nowhere.pem", "the CA bundle /nowhere.pem could not be read"),
            (
                "HTTPS_PROXY",
                "http://127.0.0.1:port",
                "through the proxy (invalid URL). Check HTTPS",
            ),
            (
                "HTTPS_PROXY",
                "http://127.0.0.1:1",
                "the proxy 127.0.0.1:1 (Connection refused). Che",
            ),
            ("HTTPS_PROXY", "socks5://127.0.0.1:1", "pip install 'requests[socks]'"),
        ],
    )
    def test_of_the_environment(self, tap: Tap, variable: str, value: str, words: str) -> None:
        run = tap.run(env={variable: value}, auth_url="https://amazon.example/token")

        assert words in sentence(run)
        assert run.log("WARNING") == []

    def test_an_unknown_host(self, tap: Tap) -> None:
        # Longer than a name can be, so that no resolver is asked.
        run = tap.run(auth_url=f"https://{'x.' * 130}com/token")

        assert "x.com could not be resolved (" in sentence(run)
        assert "Check the host names in api_url and auth_url" in sentence(run)
        assert run.log("WARNING") == []

    def test_a_proxy_that_refuses(self, tap: Tap) -> None:
        class Proxy(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                self.send_error(407)

            def log_message(self, *_: object) -> None: ...

        with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            proxy = f"http://user:password@127.0.0.1:{server.server_port}"
            run = tap.run(env={"HTTPS_PROXY": proxy}, auth_url="https://amazon.example/token")
            server.shutdown()

        said = f"the proxy 127.0.0.1:{server.server_port} (HTTP 407). Check HTTPS_PROXY"
        assert said in sentence(run)
        assert "password@" not in run.stderr
        assert run.log("WARNING") == []

    @pytest.mark.skipif(os.name == "nt", reason="limits are POSIX's")
    def test_no_file_handle_left(self, tap: Tap) -> None:
        run = execute("sh", "-c", 'ulimit -n 7; exec "$@"', "sh", *tap.command())

        assert "no resources left for a connection (Too many open files)" in sentence(run)
        assert run.log("WARNING") == []

    def test_a_certificate_that_is_not_trusted(self, tap: Tap, tls_url: str) -> None:
        run = tap.run(auth_url=f"{tls_url}/token")

        said = sentence(run)
        assert said.startswith("sales 2024-03: the certificate of localhost is not trusted (self-")
        assert "set REQUESTS_CA_BUNDLE" in said
        assert run.log("WARNING") == []


class TestNotAuthorized:
    """A refused token gets one fresh one; then the account may not read the report."""

    def test_a_revoked_token_is_renewed_once_for_all_threads(self, tap: Tap) -> None:
        publish(tap.account, JANUARY, FEBRUARY, MONTH)

        def revoke(_: Request, answer: Answer) -> Response:
            tap.account.revoke_tokens()
            return answer()

        tap.account.inject_fault(Fault("api", revoke), month=JANUARY)

        run = tap.read(start_date="2024-01-01")

        assert months_read(run) == {"2024-01-01": 3, "2024-02-01": 3, "2024-03-01": 3}
        assert len(requests_for(tap.account, "lwa")) == 2
        january = requests_for(tap.account, "api", JANUARY)
        assert [request.status for request in january] == [403, 200]
        assert len({request.headers["Authorization"] for request in january}) == 2

    def test_for_good(self, tap: Tap) -> None:
        publish(tap.account, MONTH)
        tap.account.inject_fault("api-403", None, "sales", MONTH)

        failed = fail_at_march(tap, "access denied (HTTP 403). Check that", "selected: false")
        resume(tap, failed)

        march = requests_for(tap.account, "api", MONTH)
        assert [request.status for request in march] == [403, 403, 200]
        assert len({request.headers["Authorization"] for request in march}) == 3


class TestWaiting:
    """What can pass is waited for: a few tries, further and further apart."""

    def test_faults_that_pass_leave_no_trace_in_the_data(self, tap: Tap) -> None:
        before_download: list[str | Fault] = [
            "api-503",
            Fault("api", Response(status=429, headers={"Retry-After": "2"})),
            "api-drop",
            Fault("api", cut_short),
        ]
        in_download: list[str | Fault] = [
            Fault("bucket", drop),
            "bucket-drop",
            Fault("bucket", end_early),
            "bucket-bad-crc",
            "bucket-304",
            "bucket-not-a-zip",
            "url-expired",
        ]
        passing = before_download + in_download
        months = [add_months(JANUARY, number) for number in range(len(passing))]
        publish(tap.account, *months)
        for month, fault in zip(months, passing, strict=True):
            tap.account.inject_fault(fault, month=month)

        outage = add_months(months[-1], 1)
        publish(tap.account, outage)
        tap.account.inject_fault("bucket-503", None, "sales", outage, seconds=1.5)

        run = tap.read(start_date=str(months[0]), end_date=str(outage))

        first, *_, last = requests_for(tap.account, "bucket", outage)
        assert (first.status, last.status) == (503, 200)
        # The outage begins with the first request, which is noted when it has been answered.
        assert last.time - first.time >= 1
        limited, admitted = requests_for(tap.account, "api", FEBRUARY)
        assert admitted.time - limited.time >= 2
        months.append(outage)
        assert months_read(run) == {str(month): 3 for month in months}
        assert list(months_read(run)) == [str(month) for month in months]
        assert [state["bookmarks"]["sales"]["replication_key_value"] for state in run.states] == [
            str(month) for month in months
        ]
        for month, fault in zip(months, passing, strict=False):
            # Whatever it was, the API is asked again: a presigned URL lives for minutes only.
            assert len(requests_for(tap.account, "api", month)) >= 2, fault
            downloads = requests_for(tap.account, "bucket", month)
            assert len(downloads) == (2 if fault in in_download else 1), fault


EACH_STREAM_FAILS: list[dict[str, tuple[Response, str]]] = [
    {
        "sales": (Response(UNKNOWN_ROUTE, 400), '"Unable to fetch the request scope for uri ='),
        "subscription": (Response("Report not found", 418), "HTTP 418 from the Reporting API. Ch"),
        "earnings": (
            Response("no", 403),
            "that the account's role and the profile's scope include the earnings report; or deselect",
        ),
    },
    {
        "sales": (
            Response("http://203.0.113.1/plain.zip"),
            "contains no https URL. Check api_url.",
        ),
        "subscription": (
            Response("http://remote\\@127.0.0.1/"),
            "contains no https URL. Check api",
        ),
        "earnings": (Response("https://localhost:port/"), "contains no https URL. Check api_url."),
    },
    {
        "sales": (Response("[" * 30_000), "contains no https URL. Check api_url."),
        "subscription": (Response(f"https://localhost/{'a' * 70_000}"), "is longer than 64 KB."),
        "earnings": (
            Response(REPORT_NOT_AVAILABLE, 302, {"Location": "/ap/signin"}),
            "(a redirect, which is not followed). Check api_url.",
        ),
    },
    {
        "sales": (Response(status=429, headers={"Retry-After": "3600"}), "s. Run again after 20"),
        "subscription": (
            Response(status=503, headers={"Retry-After": "3600"}),
            "with Retry-After: 3600 s. Run again after 20",
        ),
        "earnings": (Response(REPORT_NOT_AVAILABLE, 401), "access denied (HTTP 401). Check that"),
    },
]


@pytest.mark.parametrize(
    "faults", EACH_STREAM_FAILS, ids=["statuses", "URLs", "bodies", "patience"]
)
def test_each_stream_fails_at_once_with_its_own_sentence(
    tap: Tap, faults: dict[str, tuple[Response, str]]
) -> None:
    for report, (answer, _) in faults.items():
        tap.account.inject_fault(Fault("api", answer), times=None, report=report)

    run = tap.run("--catalog", tap.catalog(selected=STREAM_NAMES))

    assert run.code == 1
    *each, last = run.log("ERROR")
    assert len(each) == 2  # the last one is the run's last line anyway
    for report, (answer, words) in faults.items():
        _, own = last.split(f"{report} 2024-0")
        assert words in own
        requests = Counter(r.month for r in tap.account.requests if r.report == report)
        assert max(requests.values()) == (2 if answer.status_code in {401, 403} else 1)
    assert all(text in last for text in each)
    assert not re.search(r"Traceback|/ap/signin|Atc\||a bug", run.stderr)


class TestFile:
    """A file that is whole but no report of this kind fails; an empty report is a report."""

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (make_zip({"readme.txt": "Hello"}), ["no CSV", "'readme.txt'"]),
            (
                make_csv([EARNINGS]),
                ["the header has 2 of the 23 documented columns", "'Invoice Group ID'"],
            ),
        ],
        ids=["no CSV", "another report"],
    )
    def test_foreign_ones_fail_at_once(
        self, tap: Tap, content: bytes | str, words: list[str]
    ) -> None:
        tap.account.put_report("sales", MONTH, content)

        failed = fail_at_march(tap, *words)

        assert months_read(failed) == {"2024-02-01": 3}
        assert len(requests_for(tap.account, "bucket", MONTH)) == 1

    def test_rows_before_a_broken_one_come_again_under_the_same_keys(self, tap: Tap) -> None:
        rows = make_csv(sale(Transaction_Id=f"{MONTH}-{number}") for number in (1, 2, 3))
        tap.account.put_report("sales", MONTH, rows + 'Amazon.com,"never closed\r\n')

        failed = fail_at_march(tap, "is not valid CSV at line 5")
        publish(tap.account, MONTH)
        resumed = tap.read(state=failed.state, **FROM_FEBRUARY)

        before = {r["line_id"] for r in failed.records() if r["report_month"] == "2024-03-01"}
        after = {record["line_id"] for record in resumed.records()}
        assert before <= after
        assert len(after) == 3

    def test_empty_ones_are_reports_without_rows(self, tap: Tap) -> None:
        header = make_csv([sale()]).splitlines()[0]
        for month, content in (
            (DECEMBER, {"sales-2023-12-00000.csv": b""}),
            (JANUARY, {"sales-2024-01-00000.csv": header}),
            (FEBRUARY, {"sales-2024-02-00000.csv": f"\ufeff{header}\r\n"}),
            (MONTH, {"sales-2024-03-00000.csv": "\r\n"}),
        ):
            tap.account.put_report("sales", month, content)

        run = tap.read(start_date="2023-12-01")

        assert run.records() == []
        assert run.bookmark() == "2024-03-01"
        assert len([text for text in run.log("INFO") if ": 0 rows" in text]) == 4
        assert run.log("WARNING") == []

    def test_ragged_rows_are_kept(self, tap: Tap) -> None:
        header, row = make_csv(sales(1)).splitlines()
        rows = [header, row, row + ",more,,and more", *row.rsplit(",", 1)[:1]]
        tap.account.put_report("sales", MONTH, "\r\n".join(rows))

        run = tap.read()

        assert [record["device_type"] for record in run.records()] == ["Fire TV", "Fire TV", None]
        whole, long, short = (record["_rescued_data"] for record in run.records())
        assert (whole, short) == (None, None)
        assert json.loads(long) == {"column 24": "more", "column 26": "and more"}
        assert len(set(months_read(run))) == 1
        assert len(run.log("WARNING")) == 2


def test_what_fails_late_costs_nothing_read_before_nor_other_streams(tap: Tap) -> None:
    """Also when later months were downloaded long before an early one failed."""
    tap.streams = ["sales", "subscriptions"]
    publish(tap.account, JANUARY, FEBRUARY, MONTH)
    tap.account.put_report("subscription", MONTH, make_csv([subscription()]))
    tap.account.inject_fault(
        Fault("api", Response(status=418)), times=None, report="sales", month=FEBRUARY
    )
    settings: dict[str, Any] = {"start_date": "2024-01-01", "end_date": "2024-03-01"}

    failed = tap.run(**settings)
    tap.account.faults.clear()
    resumed = tap.read(state=failed.state, **settings)

    assert failed.code == 1
    assert set(failed.log("ERROR")) == {
        "sales 2024-02: HTTP 418 from the Reporting API. Check api_url."
    }
    assert months_read(failed) == {"2024-01-01": 3}
    assert len(failed.records("subscriptions")) == 1
    assert failed.bookmark("subscriptions") == "2024-03-01"
    assert months_read(resumed) == {"2024-02-01": 3, "2024-03-01": 3}
    assert resumed.records("subscriptions") == []


def test_a_stream_map_that_fails_is_named(tap: Tap) -> None:
    publish(tap.account, MONTH)

    said = sentence(tap.run(stream_maps={"sales": {"__filter__": "int(title) > 1"}}))

    assert said == "sales: a stream map failed (ValueError). Check stream_maps."


def test_odd_answers_are_read_at_once(tap: Tap) -> None:
    def answer_in_asctime(_: Request, answer: Answer) -> Response:
        response = answer()
        response.headers["Last-Modified"] = "Wed Apr  3 12:30:00 2024"
        return response

    def answer_in_the_future(_: Request, answer: Answer) -> Response:
        response = answer()
        response.headers["Last-Modified"] = "Fri, 01 Jan 2999 00:00:00 GMT"
        return response

    odd: list[str | Fault] = [
        Fault("bucket", answer_in_asctime),
        Fault("bucket", answer_in_the_future),
        "url-odd-path",
        "url-quoted",
        "url-json",
        "bucket-csv",
        "bucket-gzip-chunked",
        "api-empty",
        "bucket-empty",
    ]
    months = [add_months(JANUARY, number) for number in range(len(odd))]
    publish(tap.account, *months)
    for month, fault in zip(months, odd, strict=True):
        tap.account.inject_fault(fault, month=month)

    run = tap.read(env={"TZ": "Asia/Tokyo"}, start_date=str(months[0]), end_date=str(months[-1]))

    assert months_read(run) == {str(month): 3 for month in months}
    modified = {r["report_month"]: r["report_last_modified"] for r in run.records()}
    assert modified["2024-01-01"] == "2024-04-03T12:30:00+00:00"
    now = datetime.now(timezone.utc)
    moment = datetime.fromisoformat(modified["2024-02-01"])
    assert now - timedelta(minutes=5) < moment <= now
    (warning,) = run.log("WARNING")
    assert warning.startswith("sales 2024-02: the Last-Modified header 'Fri, 01 Jan 2999 00:00:00")
