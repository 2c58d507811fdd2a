"""The sandbox's services answer as Amazon's do; they run in process, without a server."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from werkzeug.test import Client as Wsgi

from sandbox import FAULTS, Sandbox, make_zip
from sandbox.login import SCOPE
from sandbox.samples import make_sample
from sandbox.samples.business import Business

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.test import TestResponse

    from sandbox import Account
    from sandbox.reports import Period
    from sandbox.request import Service

MONTH = date(2024, 3, 1)
CSV = "Marketplace,Title\r\nAmazon.com,Truck\r\n"
SALES = "sales/2024/03"
ROOT = "/api/appstore/download/report/"
NOT_AUTHORIZED = (403, '{"Message": "Request is not authorized."}')


@dataclass
class Clock:
    """A clock that tests advance."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Client:
    """Sends an account's requests to a sandbox."""

    sandbox: Sandbox
    account: Account
    token: str | None = None

    def send(self, service: Service, url: str, method: str = "GET", **options: Any) -> TestResponse:  # noqa: ANN401
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.netloc}" if parts.netloc else None
        target = f"{parts.path}?{parts.query}"
        return Wsgi(self.sandbox.apps[service]).open(target, base, method=method, **options)

    def ask_for_token(self, **changes: str) -> TestResponse:
        form = {name: self.account.settings[name] for name in ("client_id", "client_secret")}
        form |= {"grant_type": "client_credentials", "scope": SCOPE, **changes}
        return self.send("lwa", self.account.settings["auth_url"], "POST", data=form)

    def ask(self, path: str = SALES, method: str = "GET") -> TestResponse:
        self.token = self.token or self.ask_for_token().get_json()["access_token"]
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.send("api", ROOT + path, method, headers=headers)

    def statuses(self, *paths: str) -> list[int]:
        return [self.ask(path).status_code for path in paths]

    def download(self, path: str = SALES, **headers: str) -> TestResponse:
        response = self.ask(path)
        assert response.status_code == 200, response.text
        return self.get(response.text, **headers)

    def get(self, url: str, **headers: str) -> TestResponse:
        return self.send("bucket", url, headers=headers)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    """A sandbox without servers, whose clock only tests advance."""
    with Sandbox(port=None, clock=clock, requests_per_second=1000) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    """A client of an account with one sales report."""
    account = sandbox.add_account()
    account.put_report("sales", MONTH, CSV)
    return Client(sandbox, account)


def status_and_text(response: TestResponse) -> tuple[int, str]:
    return response.status_code, response.text


def s3_code(response: TestResponse) -> tuple[int, str]:
    """Return the status and the code of one of S3's errors."""
    assert response.content_type == "application/xml"
    return response.status_code, response.text.partition("<Code>")[2].partition("</Code>")[0]


class TestLogin:
    """Login with Amazon."""

    def test_issues_tokens_that_expire(self, client: Client, clock: Clock) -> None:
        content = client.ask_for_token().get_json()
        assert content.pop("access_token").startswith("Atc|")
        assert content == {"scope": SCOPE, "token_type": "bearer", "expires_in": 3600}
        assert client.ask().status_code == 200
        clock.now += 3599
        assert client.ask().status_code == 200
        clock.now += 1
        assert status_and_text(client.ask()) == NOT_AUTHORIZED

    @pytest.mark.parametrize(
        ("changes", "status", "error"),
        [
            ({"client_secret": "wrong"}, 401, "invalid_client"),
            ({"client_id": "wrong"}, 401, "invalid_client"),
            ({"scope": "appstore::apps:readwrite"}, 400, "invalid_scope"),
            ({"grant_type": "password"}, 400, "unsupported_grant_type"),
            ({"scope": ""}, 400, "invalid_request"),
        ],
    )
    def test_refuses_as_documented(
        self, client: Client, changes: dict[str, str], status: int, error: str
    ) -> None:
        response = client.ask_for_token(**changes)
        assert (response.status_code, response.get_json()["error"]) == (status, error)


class TestReportingApi:
    """The Reporting API."""

    @pytest.mark.parametrize("header", ["", "Bearer Atc|made-up", "Basic Zm9vOmJhcg=="])
    def test_requires_a_token(self, client: Client, header: str) -> None:
        response = client.send("api", ROOT + SALES, headers={"Authorization": header})
        assert status_and_text(response) == NOT_AUTHORIZED

    def test_refuses_revoked_tokens_but_not_later_ones(self, client: Client) -> None:
        assert client.ask().status_code == 200
        client.account.revoke_tokens()
        assert status_and_text(client.ask()) == NOT_AUTHORIZED
        client.token = None
        assert client.ask().status_code == 200

    def test_refuses_reports_that_the_profile_may_not_read(self, client: Client) -> None:
        client.account.put_report("subscription", MONTH, CSV)
        client.account.reports = {"sales"}
        assert client.statuses(SALES, "subscription/2024/03") == [200, 403]

    @pytest.mark.parametrize(
        "path", ["sales/2024/02", "subscription/2024/03", "sales/2024/13", "earnings/2024"]
    )
    def test_a_missing_report_is_not_found(self, client: Client, path: str) -> None:
        assert status_and_text(client.ask(path)) == (400, "Report not found")

    def test_each_account_has_its_own_reports(self, sandbox: Sandbox, client: Client) -> None:
        other = Client(sandbox, sandbox.add_account())
        other.account.put_report("sales", MONTH, "Marketplace\r\nAmazon.de\r\n")
        contents = [c.download().data for c in (client, other)]
        assert contents == [c.account.get_report("sales", MONTH) for c in (client, other)]
        assert contents[0] != contents[1]

    @pytest.mark.parametrize(
        ("path", "method"),
        [
            *[(path, "GET") for path in ("sales/2024/3", "sales/2024", "payments/2024/03")],
            *[("sales/2024/03", "POST"), ("sales/2024/03/", "GET")],
        ],
    )
    def test_has_no_other_routes(self, client: Client, path: str, method: str) -> None:
        message = f"Unable to fetch the request scope for uri = {ROOT}{path} and verb = {method}"
        assert status_and_text(client.ask(path, method)) == (400, json.dumps({"Message": message}))

    def test_accepts_three_requests_in_any_second(self) -> None:
        clock = Clock()
        with Sandbox(port=None, clock=clock) as sandbox:
            client, other = (Client(sandbox, sandbox.add_account()) for _ in range(2))
            assert client.statuses(*[SALES] * 5) == [400, 400, 400, 429, 429]
            assert other.ask().status_code == 400
            clock.now += 0.9
            assert client.ask().status_code == 429
            clock.now += 0.1
            assert client.ask().status_code == 400


class TestBucket:
    """Presigned URLs and what they lead to."""

    def test_honours_conditions_the_entity_tag_first(self, client: Client) -> None:
        etag = client.download().headers["ETag"]
        headers = {"If-None-Match": etag, "If-Modified-Since": "Wed, 01 Jan 2098 00:00:00 GMT"}
        again = client.download(**headers)
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
        client.account.put_report("sales", MONTH, CSV * 2)
        assert client.download(**headers).status_code == 200

    @pytest.mark.parametrize(
        ("genuine", "forged"),
        [
            ("2024_03", "2024_02"),
            ("X-Amz-Expires=300", "X-Amz-Expires=301"),
            ("X-Amz-Signature=", "X-Amz-Signature=0"),
            ("?", "?versionId=1&"),
        ],
    )
    def test_refuses_forged_urls(self, client: Client, genuine: str, forged: str) -> None:
        forged_url = client.ask().text.replace(genuine, forged, 1)
        assert s3_code(client.get(forged_url)) == (403, "SignatureDoesNotMatch")

    def test_requires_one_signature_for_get(self, client: Client) -> None:
        url, token = client.ask().text, {"Authorization": "Bearer Atc|token"}
        unsigned = url.partition("?")[0]
        assert s3_code(client.get(unsigned)) == (403, "AccessDenied")
        assert s3_code(client.get(unsigned, **token)) == (403, "AccessDenied")
        assert s3_code(client.get(url, **token)) == (400, "InvalidArgument")
        assert client.send("bucket", url, "HEAD").status_code == 403


class TestReports:
    """Publishing and restating reports."""

    def test_are_modified_when_they_are_put_and_later_each_time(self, client: Client) -> None:
        moment = datetime(2024, 4, 3, 12, 30, 15, 999, tzinfo=timezone(timedelta(hours=2)))
        moments = []
        for at in (moment, None, moment, None):
            client.account.put_report("sales", date(2024, 2, 29), CSV, last_modified=at)
            response = client.download("sales/2024/02")
            moments.append(parsedate_to_datetime(response.headers["Last-Modified"]))
        assert moments == sorted(set(moments))
        assert moments[0] == datetime(2024, 4, 3, 10, 30, 15, tzinfo=timezone.utc)
        age = datetime.now(timezone.utc) - moments[1]
        assert timedelta(0) <= age < timedelta(seconds=10)

    @pytest.mark.parametrize(
        ("report", "period", "path", "member"),
        [
            ("sales", date(2024, 5, 17), "sales/2024/05", "sales-2024-05-00000.csv"),
            ("earnings", date(2024, 5, 1), "earnings/2024/05", "earnings-2024-05-00000.csv"),
            ("earnings", 2024, "earnings/2024", "earnings-2024-00000.csv"),
        ],
    )
    def test_are_of_a_month_or_a_year(
        self, client: Client, report: str, period: Period, path: str, member: str
    ) -> None:
        client.account.put_report(report, period, CSV)
        assert client.download(path).data == make_zip({member: CSV})
        month = period if isinstance(period, int) else period.replace(day=1)
        requests = [(r.service, r.report, r.month) for r in client.account.requests[-2:]]
        assert requests == [("api", report, month), ("bucket", report, month)]

    @pytest.mark.parametrize("streamed", [False, True])
    def test_make_zip_is_reproducible(self, *, streamed: bool) -> None:
        members: dict[str, bytes | str] = {"ä.csv": "ä", "b.bin": b"\0" * 1000}
        content = make_zip(members, streamed=streamed)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            sizes = [(m.filename, m.file_size) for m in archive.infolist()]
            assert sizes == [("ä.csv", 2), ("b.bin", 1000)]
            assert {bool(m.flag_bits & 0x08) for m in archive.infolist()} == {streamed}
        assert make_zip(members, streamed=streamed) == content


class TestAccounts:
    """Settings, and the record of requests."""

    def test_differ_unless_they_have_the_same_name(self, sandbox: Sandbox) -> None:
        accounts = [sandbox.add_account(name=name) for name in ("x", "x", "y", None, None)]
        assert accounts[0].settings == accounts[1].settings
        for names in ("client_id", "client_secret"):
            assert len({account.settings[names] for account in accounts}) == 4

    def test_record_their_requests(self, client: Client) -> None:
        url = client.ask().text
        client.ask("sales/2019/01")
        client.get(f"{url}0")
        client.ask_for_token(client_secret="wrong")  # noqa: S106
        client.send("api", "/nowhere")
        requests = client.account.requests
        assert [(r.service, r.report, r.month, r.status) for r in requests] == [
            ("lwa", None, None, 200),
            ("api", "sales", MONTH, 200),
            ("api", "sales", date(2019, 1, 1), 400),
            ("bucket", "sales", MONTH, 403),
            ("lwa", None, None, 401),
        ]
        assert requests[1].headers["authorization"] == f"Bearer {client.token}"
        assert sorted(requests, key=lambda r: r.time) == requests


def ask(client: Client) -> tuple[int, str]:
    response = client.ask()
    return response.status_code, response.text[:15]


def retry_after(client: Client) -> tuple[int, str | None]:
    response = client.ask()
    return response.status_code, response.headers.get("Retry-After")


def code(client: Client) -> tuple[int, str]:
    return s3_code(client.download())


def download(client: Client) -> tuple[bytes, str]:
    response = client.download()
    framing = ("Content-Length", "Transfer-Encoding", "Connection")
    return response.data, " ".join(filter(None, map(response.headers.get, framing)))


PLAIN = CSV.encode()
GZIPPED = gzip.compress(PLAIN, mtime=0)
CHECKS: dict[str, tuple[Callable[[Client], object], object]] = {
    "lwa-503": (lambda c: c.ask_for_token().status_code, 503),
    "lwa-invalid-scope": (lambda c: c.ask_for_token().get_json()["error"], "invalid_scope"),
    "api-403": (ask, (403, NOT_AUTHORIZED[1][:15])),
    "api-404": (ask, (404, "Service Unavail")),
    "api-429": (retry_after, (429, "1")),
    "api-429-no-retry-after": (retry_after, (429, None)),
    "api-503": (ask, (503, "Service Unavail")),
    "api-empty": (ask, (200, "")),
    "api-nonsense": (ask, (200, "<!DOCTYPE html>")),
    "api-redirect": (ask, (302, "")),
    "report-not-found-text": (ask, (400, "We're sorry. Re")),
    "report-not-found-json": (ask, (400, '{"Message": "40')),
    "report-not-available": (ask, (403, "Report Not Avai")),
    "url-quoted": (lambda c: c.get(json.loads(c.ask().text)).status_code, 200),
    "url-json": (lambda c: c.get(c.ask().get_json()["url"]).status_code, 200),
    "url-expired": (code, (403, "AccessDenied")),
    "bucket-304": (lambda c: status_and_text(c.download()), (304, "")),
    "bucket-403": (code, (403, "AccessDenied")),
    "bucket-404": (code, (404, "NoSuchBucket")),
    "bucket-503": (code, (503, "SlowDown")),
    "bucket-empty": (download, (b"", "0")),
    "bucket-not-a-zip": (lambda c: c.download().text[:15], "<!DOCTYPE html>"),
    "bucket-csv": (download, (PLAIN, str(len(PLAIN)))),
    "bucket-csv-chunked": (download, (PLAIN, "chunked")),
    "bucket-csv-unsized": (download, (PLAIN, "close")),
    "bucket-gzip": (download, (GZIPPED, str(len(GZIPPED)))),
    "bucket-gzip-chunked": (download, (GZIPPED, "chunked")),
    "bucket-gzip-unsized": (download, (GZIPPED, "close")),
    "bucket-no-etag": (lambda c: "ETag" in c.download().headers, False),
}
OTHERS = {
    *("api-drop", "bucket-bad-crc", "bucket-drop", "bucket-ignores-conditions"),
    *("earnings-monthly-only", "earnings-yearly-only", "url-odd-path"),
}
"""Tested on their own below, or by `tests/cli/test_sandbox.py` because they need a connection."""


class TestFaults:
    """What can go wrong."""

    def test_all_are_tested(self) -> None:
        assert set(CHECKS) | OTHERS == set(FAULTS)

    @pytest.mark.parametrize("name", CHECKS)
    def test_happen_once(self, client: Client, name: str) -> None:
        observe, expected = CHECKS[name]
        client.token = client.account.issue_token()
        client.account.inject_fault(name)
        assert observe(client) == expected
        assert client.download().data == client.account.get_report("sales", MONTH)

    @pytest.mark.parametrize("form", ["yearly", "monthly"])
    def test_earnings_have_one_form_only(self, client: Client, form: str) -> None:
        client.account.put_report("earnings", MONTH, CSV)
        client.account.put_report("earnings", 2024, CSV)
        paths = ("earnings/2024/03", "earnings/2024", SALES)
        assert client.statuses(*paths) == [200, 200, 200]
        client.account.inject_fault(f"earnings-{form}-only", times=None)
        assert client.statuses(*paths) == ([400, 200, 200] if form == "yearly" else [200, 400, 200])

    def test_csv_of_several_parts_has_one_header(self, client: Client) -> None:
        parts = {f"{i}.csv": f"a,b\r\n{i},x\r\n" for i in range(3)}
        client.account.put_report("sales", MONTH, parts)
        client.account.inject_fault("bucket-csv")
        assert client.download().text == "a,b\r\n0,x\r\n1,x\r\n2,x\r\n"

    @pytest.mark.parametrize("month", [MONTH, date(2024, 4, 1)], ids=["one member", "three"])
    def test_a_changed_byte_is_compressed_data(self, client: Client, month: date) -> None:
        client.account.put_report("sales", MONTH, make_sample("sales", month, Business(20)))
        client.account.inject_fault("bucket-bad-crc")
        with zipfile.ZipFile(io.BytesIO(client.download().data)) as archive:
            names = archive.namelist()
            with pytest.raises((zipfile.BadZipFile, zlib.error)):
                archive.read(names[len(names) // 2])

    def test_combine(self, client: Client) -> None:
        condition = {"If-None-Match": client.download().headers["ETag"]}
        client.account.inject_fault("bucket-ignores-conditions")
        client.account.inject_fault("bucket-no-etag")
        response = client.download(**condition)
        assert (response.status_code, "ETag" in response.headers) == (200, False)
        assert client.download(**condition).status_code == 304

    def test_last_for_a_time_from_the_first_request(self, client: Client, clock: Clock) -> None:
        client.ask()
        client.account.inject_fault("api-429", times=None, seconds=30)
        clock.now += 100
        assert client.ask().status_code == 429
        clock.now += 29
        assert client.ask().status_code == 429
        clock.now += 1
        assert client.ask().status_code == 200

    def test_happen_in_order_as_often_as_asked_until_cleared(self, client: Client) -> None:
        client.account.inject_fault("api-503", times=2)
        client.account.inject_fault("api-404")
        assert client.statuses(*[SALES] * 4) == [503, 503, 404, 200]
        client.account.inject_fault("api-503", times=None)
        assert client.statuses(*[SALES] * 4) == [503] * 4
        client.account.faults.clear()
        assert client.ask().status_code == 200

    def test_happen_to_one_account_report_and_month(self, sandbox: Sandbox, client: Client) -> None:
        sandbox.add_account().inject_fault("api-503", times=None)
        client.account.inject_fault("api-503", None, "sales", date(2024, 1, 31))
        paths = ("sales/2024/01", "subscription/2024/01", "sales/2024/02", "sales/2024/01")
        assert client.statuses(*paths) == [503, 400, 400, 503]
        assert client.download().status_code == 200
