"""The sandbox answers as Amazon does; nearly everything is asked over HTTP."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from werkzeug import Response

from sandbox import FAULTS, Sandbox, make_csv, make_zip, write_sample_zip
from sandbox.__main__ import main
from sandbox.faults import cut_short, drop
from tests.conftest import memory_below

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Account
    from sandbox.calls import Call
    from sandbox.faults import Answer, Behaviour

# Tests need not wait.
pytestmark = pytest.mark.unlimited

MONTH = date(2024, 3, 1)
TODAY = date(2024, 6, 15)
CSV = "Marketplace,Title\r\nAmazon.com,Truck\r\n"
NOT_AUTHORIZED = {"Message": "Request is not authorized."}
PROJECT = Path(__file__).parents[2]


@dataclass
class Client:
    """Does for an account what the documentation tells a developer to do."""

    account: Account
    session: requests.Session = field(default_factory=requests.Session)
    token: str | None = None

    def ask_for_token(self, **changes: str) -> requests.Response:
        settings = self.account.settings
        form = {
            "grant_type": "client_credentials",
            "client_id": settings["client_id"],
            "client_secret": settings["client_secret"],
            "scope": "adx_reporting::appstore:marketer",
            **changes,
        }
        return self.session.post(settings["auth_url"], data=form)

    def sign_in(self) -> None:
        self.token = self.ask_for_token().json()["access_token"]

    def ask(
        self, path: str = "sales/2024/03", method: str = "GET", **headers: str
    ) -> requests.Response:
        if self.token is None:
            self.sign_in()
        return self.session.request(
            method,
            f"{self.account.settings['api_url']}/api/appstore/download/report/{path}",
            headers={"Authorization": f"Bearer {self.token}", **headers},
            allow_redirects=False,
        )

    def url(self, path: str = "sales/2024/03") -> str:
        answer = self.ask(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def download(self, path: str = "sales/2024/03", **headers: str) -> requests.Response:
        return self.session.get(self.url(path), headers=headers)


@pytest.fixture
def account(sandbox: Sandbox) -> Account:
    """An account with one sales report."""
    account = sandbox.add_account()
    account.put_report("sales", MONTH, CSV)
    return account


@pytest.fixture
def client(account: Account) -> Iterator[Client]:
    with client_of(account) as client:
        yield client


@contextmanager
def client_of(account: Account) -> Iterator[Client]:
    with requests.Session() as session:
        yield Client(account, session)


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, timeout=10)


def error_code(answer: requests.Response) -> str:
    assert answer.headers["Content-Type"] == "application/xml"
    return answer.text.partition("<Code>")[2].partition("</Code>")[0]


class TestLogin:
    """Login with Amazon."""

    def test_issues_a_token(self, client: Client) -> None:
        answer = client.ask_for_token()
        content = answer.json()
        assert answer.status_code == 200
        assert content.pop("access_token").startswith("Atc|")
        assert content == {
            "scope": "adx_reporting::appstore:marketer",
            "token_type": "bearer",
            "expires_in": 3600,
        }

    @pytest.mark.parametrize(
        ("changes", "status", "error", "description"),
        [
            ({"client_secret": "wrong"}, 401, "invalid_client", "Client authentication failed"),
            ({"client_id": "wrong"}, 401, "invalid_client", "Client authentication failed"),
            (
                {"scope": "appstore::apps:readwrite"},
                400,
                "invalid_scope",
                "The request has an invalid parameter : scope",
            ),
            (
                {"grant_type": "password"},
                400,
                "unsupported_grant_type",
                "The authorization grant type is not supported by the authorization server",
            ),
            (
                {"scope": ""},
                400,
                "invalid_request",
                "The request is missing a required parameter : scope",
            ),
        ],
    )
    def test_refuses_as_documented(
        self, client: Client, changes: dict[str, str], status: int, error: str, description: str
    ) -> None:
        answer = client.ask_for_token(**changes)
        assert answer.status_code == status
        assert answer.json() == {"error_description": description, "error": error}

    def test_takes_forms_only(self, account: Account) -> None:
        settings = account.settings
        form = {"grant_type": "client_credentials"}
        answer = requests.post(settings["auth_url"], json=form, timeout=10)
        assert answer.status_code == 400
        assert answer.json()["error"] == "invalid_request"

    def test_refuses_an_account_whose_profile_is_not_attached(self, sandbox: Sandbox) -> None:
        with client_of(sandbox.add_account(attached=False)) as client:
            answer = client.ask_for_token()
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")

    def test_a_token_expires_when_it_says(self) -> None:
        with (
            Sandbox(token_lifetime=1, requests_per_second=1000) as sandbox,
            client_of(sandbox.add_account()) as client,
        ):
            assert client.ask_for_token().json()["expires_in"] == 1
            client.sign_in()
            signed_in = time.monotonic()
            while client.ask().status_code == 400:
                assert time.monotonic() < signed_in + 5
                time.sleep(0.05)
            assert time.monotonic() > signed_in + 0.9
            assert client.ask().json() == NOT_AUTHORIZED

    def test_knows_only_the_token_endpoint(self, sandbox: Sandbox) -> None:
        assert get(sandbox.auth_url).status_code == 405
        assert get(sandbox.auth_url.replace("o2", "o3")).status_code == 404


class TestReportingApi:
    """The Reporting API."""

    def test_answers_with_a_presigned_url(self, client: Client) -> None:
        answer = client.ask()
        url = urlsplit(answer.text)
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert url.path.endswith("/sales/sales_2024_03.zip")
        query = parse_qs(url.query)
        assert query["X-Amz-SignedHeaders"] == ["host"]
        assert query["X-Amz-Expires"] == ["300"]

    @pytest.mark.parametrize(
        "headers",
        [{}, {"Authorization": "Bearer Atc|made-up"}, {"Authorization": "Basic Zm9vOmJhcg=="}],
    )
    def test_wants_a_token(self, sandbox: Sandbox, headers: dict[str, str]) -> None:
        url = f"{sandbox.api_url}/api/appstore/download/report/sales/2024/03"
        answer = get(url, **headers)
        assert (answer.status_code, answer.json()) == (403, NOT_AUTHORIZED)

    def test_refuses_revoked_tokens_but_not_later_ones(self, client: Client) -> None:
        assert client.ask().status_code == 200
        client.account.revoke_tokens()
        answer = client.ask()
        assert (answer.status_code, answer.json()) == (403, NOT_AUTHORIZED)
        client.sign_in()
        assert client.ask().status_code == 200

    def test_refuses_reports_that_are_not_the_accounts_to_read(self, sandbox: Sandbox) -> None:
        account = sandbox.add_account(reports={"sales"})
        for report in ("sales", "subscription"):
            account.put_report(report, MONTH, CSV)
        with client_of(account) as client:
            assert client.ask("sales/2024/03").status_code == 200
            answer = client.ask("subscription/2024/03")
        assert (answer.status_code, answer.json()) == (403, NOT_AUTHORIZED)

    @pytest.mark.parametrize("path", ["sales/2024/02", "subscription/2024/03", "sales/2024/13"])
    def test_tells_where_there_is_no_report(self, client: Client, path: str) -> None:
        answer = client.ask(path)
        assert (answer.status_code, answer.text) == (400, "Report not found")

    def test_a_removed_report_is_not_found(self, client: Client) -> None:
        client.account.remove_report("sales", MONTH)
        assert client.ask().text == "Report not found"

    def test_accounts_see_their_own_reports_only(self, sandbox: Sandbox, account: Account) -> None:
        other = sandbox.add_account()
        other.put_report("sales", MONTH, "Marketplace\r\nAmazon.de\r\n")
        for owner in (account, other):
            with client_of(owner) as client:
                assert client.download().content == owner.get_report("sales", MONTH)

    @pytest.mark.parametrize(
        ("path", "method"),
        [
            ("sales/2024/3", "GET"),
            ("sales/2024", "GET"),
            ("payments/2024/03", "GET"),
            ("sales/2024/03", "POST"),
            ("sales/2024/03/", "GET"),
        ],
    )
    def test_knows_no_other_routes(self, client: Client, path: str, method: str) -> None:
        answer = client.ask(path, method)
        uri = f"/api/appstore/download/report/{path}"
        message = f"Unable to fetch the request scope for uri = {uri} and verb = {method}"
        assert (answer.status_code, answer.json()) == (400, {"Message": message})

    def test_admits_three_requests_in_any_second(self) -> None:
        with Sandbox() as sandbox:
            accounts = [sandbox.add_account(), sandbox.add_account()]
            with client_of(accounts[0]) as client, client_of(accounts[1]) as other:
                client.sign_in()
                assert [client.ask().status_code for _ in range(5)] == [400, 400, 400, 429, 429]
                assert other.ask().status_code == 400
                time.sleep(1)
                assert client.ask().status_code == 400

    def test_takes_its_time(self) -> None:
        with Sandbox(api_latency=0.2, download_latency=0.3) as sandbox:
            account = sandbox.add_account()
            account.put_report("sales", MONTH, CSV)
            with client_of(account) as client:
                client.sign_in()
                assert client.ask().elapsed >= timedelta(seconds=0.2)
                assert client.download().elapsed >= timedelta(seconds=0.3)


class TestBucket:
    """Presigned URLs and what they lead to."""

    def test_serves_the_file(self, client: Client) -> None:
        answer = client.download()
        assert answer.status_code == 200
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.namelist() == ["sales-2024-03-00000.csv"]
            assert archive.read("sales-2024-03-00000.csv").decode() == CSV
        assert answer.headers["ETag"].startswith('"')

    def test_an_unchanged_file_is_not_sent_again(self, client: Client) -> None:
        etag = client.download().headers["ETag"]
        again = client.download(**{"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == etag
        client.account.put_report("sales", MONTH, CSV + "Amazon.de,Lastwagen\r\n")
        assert client.download(**{"If-None-Match": etag}).status_code == 200

    def test_the_entity_tag_counts_more_than_the_date(self, client: Client) -> None:
        seen = client.download().headers
        client.account.put_report("sales", MONTH, CSV * 2)
        headers = {
            "If-None-Match": seen["ETag"],
            "If-Modified-Since": "Wed, 01 Jan 2098 00:00:00 GMT",
        }
        assert client.download(**headers).status_code == 200

    def test_serves_ranges(self, client: Client) -> None:
        whole = client.download().content
        part = client.download(Range="bytes=10-19")
        assert (part.status_code, part.content) == (206, whole[10:20])
        assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole)}"

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
        answer = get(client.url().replace(genuine, forged))
        assert (answer.status_code, error_code(answer)) == (403, "SignatureDoesNotMatch")

    def test_refuses_unsigned_requests(self, client: Client) -> None:
        answer = get(client.url().partition("?")[0])
        assert (answer.status_code, error_code(answer)) == (403, "AccessDenied")

    def test_refuses_half_a_signature(self, client: Client) -> None:
        answer = get(client.url().replace("X-Amz-Date", "X-Amz-When"))
        assert (answer.status_code, error_code(answer)) == (
            400,
            "AuthorizationQueryParametersError",
        )

    def test_refuses_keys_that_it_does_not_know(self, client: Client) -> None:
        answer = get(client.url().replace("Credential=AKIA", "Credential=AKIB"))
        assert (answer.status_code, error_code(answer)) == (403, "InvalidAccessKeyId")

    def test_refuses_a_second_mechanism(self, client: Client) -> None:
        answer = client.download(Authorization=f"Bearer {client.token}")
        assert (answer.status_code, error_code(answer)) == (400, "InvalidArgument")
        assert "Only one auth mechanism allowed" in answer.text

    def test_a_url_for_get_is_not_one_for_head(self, client: Client) -> None:
        answer = client.session.head(client.url())
        assert (answer.status_code, answer.content) == (403, b"")

    def test_a_url_expires(self) -> None:
        with Sandbox(url_lifetime=1) as sandbox:
            account = sandbox.add_account()
            account.put_report("sales", MONTH, CSV)
            with client_of(account) as client:
                url = client.url()
                deadline = time.monotonic() + 3
                while (answer := get(url)).status_code == 200:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
        assert (answer.status_code, error_code(answer)) == (403, "AccessDenied")
        assert "Request has expired" in answer.text

    def test_a_file_that_is_withdrawn_meanwhile_is_missing(self, client: Client) -> None:
        url = client.url()
        client.account.remove_report("sales", MONTH)
        answer = get(url)
        assert (answer.status_code, error_code(answer)) == (404, "NoSuchKey")

    def test_keeps_connections_open(self, client: Client) -> None:
        etag = client.download().headers["ETag"]
        client.download(**{"If-None-Match": etag})
        client.session.head(client.url())
        client.ask("sales/2019/01")
        addresses = defaultdict(set)
        for request in client.account.requests:
            addresses[request.service].add(request.client_address)
        assert {service: len(ports) for service, ports in addresses.items()} == {
            "lwa": 1,
            "api": 1,
            "bucket": 1,
        }

    def test_closes_its_connections(self) -> None:
        with Sandbox() as sandbox:
            session = requests.Session()
            session.get(sandbox.auth_url)
        with session, pytest.raises(requests.ConnectionError):
            session.get(sandbox.auth_url)


class TestReports:
    """Publishing, restating and withdrawing reports."""

    def last_modified(self, client: Client) -> datetime:
        return parsedate_to_datetime(client.download().headers["Last-Modified"])

    def test_a_report_was_modified_when_it_says(self, client: Client) -> None:
        moment = datetime(2024, 4, 3, 12, 30, 15, 999, tzinfo=timezone(timedelta(hours=2)))
        client.account.put_report("subscription", MONTH, CSV, last_modified=moment)
        answer = client.download("subscription/2024/03")
        assert answer.headers["Last-Modified"] == "Wed, 03 Apr 2024 10:30:15 GMT"

    def test_without_saying_it_was_modified_now(self, client: Client) -> None:
        age = datetime.now(timezone.utc) - self.last_modified(client)
        assert timedelta(0) <= age < timedelta(seconds=10)

    def test_a_restated_report_is_always_later(self, client: Client) -> None:
        moments = [self.last_modified(client)]
        for moment in (None, datetime(2020, 1, 1, tzinfo=timezone.utc), None):
            client.account.put_report("sales", MONTH, CSV, last_modified=moment)
            moments.append(self.last_modified(client))
        client.account.remove_report("sales", MONTH)
        client.account.put_report("sales", MONTH, CSV)
        moments.append(self.last_modified(client))
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        assert min(gaps) >= timedelta(seconds=1)

    def test_takes_a_zip_as_it_is(self, client: Client, tmp_path: Path) -> None:
        client.account.put_report("sales", MONTH, b"no ZIP at all")
        assert client.download().content == b"no ZIP at all"
        path = tmp_path / "report.zip"
        path.write_bytes(b"from a file")
        client.account.put_report("sales", MONTH, path)
        assert client.download().content == b"from a file"

    def test_packs_members(self, client: Client) -> None:
        client.account.put_report("sales", MONTH, {"a.csv": CSV, "b.txt": b"\0"})
        with zipfile.ZipFile(io.BytesIO(client.download().content)) as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == {
                "a.csv": CSV.encode(),
                "b.txt": b"\0",
            }

    def test_any_day_stands_for_its_month(self, client: Client) -> None:
        client.account.put_report("sales", date(2024, 5, 17), CSV)
        assert client.ask("sales/2024/05").status_code == 200
        client.account.remove_report("sales", date(2024, 5, 31))
        assert client.ask("sales/2024/05").status_code == 400

    def test_knows_its_reports(self, account: Account) -> None:
        with pytest.raises(ValueError, match="sales, subscription, earnings"):
            account.put_report("subscriptions", MONTH, CSV)


class TestAccounts:
    """Settings, and the record of what was asked."""

    def test_are_all_different(self, sandbox: Sandbox) -> None:
        one, two = sandbox.add_account(), sandbox.add_account()
        assert one.client_id != two.client_id
        assert one.client_secret != two.client_secret

    def test_with_a_name_are_the_same_everywhere(self, sandbox: Sandbox) -> None:
        with Sandbox() as other:
            one, two = sandbox.add_account(name="x"), other.add_account(name="x")
        assert (one.client_id, one.client_secret) == (two.client_id, two.client_secret)

    def test_know_the_settings_of_the_tap(self, sandbox: Sandbox, account: Account) -> None:
        assert account.settings == {
            "client_id": account.client_id,
            "client_secret": account.client_secret,
            "api_url": sandbox.api_url,
            "auth_url": sandbox.auth_url,
        }
        assert account.environment == {
            f"TAP_AMAZON_APPSTORE_{name.upper()}": value for name, value in account.settings.items()
        }

    def test_record_their_requests(self, client: Client) -> None:
        before = time.monotonic()
        client.sign_in()
        url = client.ask("sales/2024/03", **{"User-Agent": "tests"}).text
        client.ask("sales/2019/01")
        get(f"{url}0")
        lwa, found, missing, refused = client.account.requests
        assert [r.service for r in client.account.requests] == ["lwa", "api", "api", "bucket"]
        assert (lwa.method, lwa.path, lwa.status) == ("POST", "/auth/o2/token", 200)
        assert (found.report, found.month, found.status) == ("sales", MONTH, 200)
        assert (missing.month, missing.status) == (date(2019, 1, 1), 400)
        assert (refused.report, refused.month, refused.status) == ("sales", MONTH, 403)
        assert found.headers["user-agent"] == "tests"
        assert found.headers["Authorization"] == f"Bearer {client.token}"
        assert found.query == {}
        assert refused.query["X-Amz-SignedHeaders"] == "host"
        assert before <= lwa.time <= found.time <= missing.time <= time.monotonic()

    def test_record_refused_requests_too(self, client: Client) -> None:
        client.ask_for_token(client_secret="wrong")  # noqa: S106
        client.sign_in()
        client.account.revoke_tokens()
        client.ask()
        assert [r.status for r in client.account.requests] == [401, 200, 403]

    def test_requests_of_nobody_are_recorded_by_the_sandbox(self) -> None:
        with Sandbox() as sandbox:
            account = sandbox.add_account()
            get(f"{sandbox.api_url}/nowhere")
            assert [r.path for r in sandbox.requests] == ["/nowhere"]
            assert account.requests == []


class TestBatchBucket:
    """The bucket that an S3 client may write to."""

    def client(self, sandbox: Sandbox, credentials: dict[str, str] | None = None) -> Any:  # noqa: ANN401 - boto3 has no types
        credentials = credentials or sandbox.s3_credentials
        return boto3.client(
            "s3",
            endpoint_url=sandbox.s3_endpoint_url,
            aws_access_key_id=credentials["key"],
            aws_secret_access_key=credentials["secret"],
            region_name="eu-central-1",
            config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}),
        )

    def test_takes_and_gives_objects(self) -> None:
        with Sandbox() as sandbox:
            s3, bucket = self.client(sandbox), sandbox.batch_bucket
            assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
            s3.put_object(Bucket=bucket, Key="a folder/ü+1.json", Body=b"[]")
            s3.upload_fileobj(io.BytesIO(bytes(9_000_000)), bucket, "big")
            keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
            assert keys == ["a folder/ü+1.json", "big"]
            assert s3.get_object(Bucket=bucket, Key="a folder/ü+1.json")["Body"].read() == b"[]"
            assert s3.head_object(Bucket=bucket, Key="big")["ContentLength"] == 9_000_000

    def test_believes_botocores_presigned_urls(self, sandbox: Sandbox) -> None:
        s3, bucket = self.client(sandbox), sandbox.batch_bucket
        s3.put_object(Bucket=bucket, Key="signed", Body=b"content")
        params = {"Bucket": bucket, "Key": "signed", "ResponseContentType": "text/x"}
        answer = get(s3.generate_presigned_url("get_object", Params=params))
        assert (answer.status_code, answer.content) == (200, b"content")
        assert answer.headers["Content-Type"] == "text/x"

    def test_refuses_a_wrong_secret(self, sandbox: Sandbox) -> None:
        credentials = {**sandbox.s3_credentials, "secret": "wrong"}
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            self.client(sandbox, credentials).list_objects_v2(Bucket=sandbox.batch_bucket)

    def test_refuses_a_header_that_is_no_signature(self, sandbox: Sandbox) -> None:
        url = f"{sandbox.s3_endpoint_url}/{sandbox.batch_bucket}"
        answer = get(url, Authorization="Bearer Atc|token")
        assert (answer.status_code, error_code(answer)) == (400, "InvalidArgument")

    def test_sandboxes_do_not_share_it(self, sandbox: Sandbox) -> None:
        with Sandbox() as other, pytest.raises(ClientError, match="InvalidAccessKeyId"):
            self.client(other, sandbox.s3_credentials).list_objects_v2(Bucket=other.batch_bucket)


class TestFaults:
    """What can go wrong, one test for each."""

    def test_all_are_tested(self) -> None:
        tests = {f"test_{name.replace('-', '_')}" for name in FAULTS}
        assert tests <= set(vars(TestFaults))

    def test_lwa_503(self, client: Client) -> None:
        client.account.fail("lwa-503")
        assert [client.ask_for_token().status_code for _ in range(2)] == [503, 200]

    def test_api_403(self, client: Client) -> None:
        client.account.fail("api-403")
        answer = client.ask()
        assert (answer.status_code, answer.json()) == (403, NOT_AUTHORIZED)

    def test_api_404(self, client: Client) -> None:
        client.account.fail("api-404")
        assert client.ask().status_code == 404

    def test_api_429(self, client: Client) -> None:
        client.account.fail("api-429")
        answer = client.ask()
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")

    def test_api_503(self, client: Client) -> None:
        client.account.fail("api-503")
        assert client.ask().status_code == 503

    def test_api_drop(self, client: Client) -> None:
        client.account.fail("api-drop")
        with pytest.raises(requests.ConnectionError):
            client.ask()
        assert client.account.requests[-1].status is None
        assert client.ask().status_code == 200

    def test_api_redirect(self, client: Client) -> None:
        client.account.fail("api-redirect")
        answer = client.ask()
        assert answer.status_code == 302
        assert not answer.headers["Location"].startswith(client.account.settings["api_url"])
        assert get(answer.headers["Location"]).status_code == 200
        assert client.account.requests[-1].path == "/ap/signin"

    def test_api_nonsense(self, client: Client) -> None:
        client.account.fail("api-nonsense")
        answer = client.ask()
        assert (answer.status_code, answer.text[:14]) == (200, "<!DOCTYPE html")

    def test_url_quoted(self, client: Client) -> None:
        client.account.fail("url-quoted")
        answer = client.ask()
        assert answer.text != json.loads(answer.text)
        assert get(json.loads(answer.text)).status_code == 200

    def test_url_json(self, client: Client) -> None:
        client.account.fail("url-json")
        answer = client.ask()
        assert answer.headers["Content-Type"] == "application/json"
        assert get(answer.json()["url"]).status_code == 200

    def test_url_expired(self, client: Client) -> None:
        client.account.fail("url-expired")
        answer = client.download()
        assert answer.status_code == 403
        assert "Request has expired" in answer.text
        assert client.download().status_code == 200

    def test_report_not_available(self, client: Client) -> None:
        client.account.fail("report-not-available")
        answer = client.ask()
        assert answer.status_code == 403
        assert answer.text.startswith("Report Not Available")
        assert answer.text.endswith("(403) when calling the HeadObject operation: Forbidden")

    def test_bucket_403(self, client: Client) -> None:
        client.account.fail("bucket-403")
        answer = client.download()
        assert (answer.status_code, error_code(answer)) == (403, "AccessDenied")
        assert "expired" not in answer.text

    def test_bucket_404(self, client: Client) -> None:
        client.account.fail("bucket-404")
        assert client.download().status_code == 404

    def test_bucket_503(self, client: Client) -> None:
        client.account.fail("bucket-503")
        answer = client.download()
        assert (answer.status_code, error_code(answer)) == (503, "SlowDown")

    def test_bucket_drop(self, client: Client) -> None:
        client.account.fail("bucket-drop")
        size = len(client.account.get_report("sales", MONTH) or b"")
        with client.session.get(client.url(), stream=True) as answer:
            assert answer.headers["Content-Length"] == str(size)
            assert len(answer.raw.read(size // 2)) == size // 2
            with pytest.raises(requests.exceptions.ChunkedEncodingError):
                list(answer.iter_content())
        assert client.download().status_code == 200

    @pytest.mark.parametrize("streamed", [False, True])
    def test_bucket_bad_crc(self, client: Client, streamed: bool) -> None:  # noqa: FBT001
        rows = [{"n": number, "Title": f"{number**3}"} for number in range(1000)]
        content = make_zip({"s.csv": "x", "a.csv": make_csv(rows)}, streamed=streamed)
        client.account.put_report("sales", MONTH, content)
        client.account.fail("bucket-bad-crc")
        bad = client.download().content
        assert len(bad) == len(content)
        assert sum(a != b for a, b in zip(bad, content, strict=True)) == 1
        with zipfile.ZipFile(io.BytesIO(bad)) as archive:
            assert archive.namelist() == ["s.csv", "a.csv"]
            with pytest.raises((zipfile.BadZipFile, zlib.error)):
                archive.read("a.csv")

    def test_bucket_not_a_zip(self, client: Client) -> None:
        client.account.fail("bucket-not-a-zip")
        answer = client.download()
        assert (answer.status_code, answer.headers["Content-Type"][:9]) == (200, "text/html")

    def test_bucket_no_etag(self, client: Client) -> None:
        client.account.fail("bucket-no-etag")
        answer = client.download()
        assert answer.status_code == 200
        assert "ETag" not in answer.headers

    def test_bucket_ignores_conditions(self, client: Client) -> None:
        etag = client.download().headers["ETag"]
        client.account.fail("bucket-ignores-conditions")
        assert client.download(**{"If-None-Match": etag}).status_code == 200
        assert client.download(**{"If-None-Match": etag}).status_code == 304

    def test_without_a_name_are_responses(self, client: Client) -> None:
        client.account.inject_fault("api", Response("A teapot", 418, {"Tea": "green"}), times=2)
        first, second, third = (client.ask() for _ in range(3))
        for answer in (first, second):
            assert (answer.status_code, answer.text) == (418, "A teapot")
            assert answer.headers["Tea"] == "green"
        assert third.status_code == 200

    def test_without_a_name_are_what_is_made_of_request_and_answer(self, client: Client) -> None:
        def with_month(call: Call, answer: Answer) -> Response:
            return Response(f"{call.month} {answer().get_data(as_text=True)}", 202)

        client.account.inject_fault("api", with_month)
        answer = client.ask()
        assert answer.status_code == 202
        month, url = answer.text.split()
        assert (month, get(url).status_code) == ("2024-03-01", 200)
        assert client.ask().status_code == 200

    def test_without_a_name_happen_to_one_service_report_and_month(self, client: Client) -> None:
        teapot = Response(status=418)
        client.account.inject_fault("api", teapot, None, "sales", date(2024, 1, 31))
        client.account.inject_fault("bucket", teapot, report="subscription")
        client.account.put_report("subscription", MONTH, CSV)
        paths = ("sales/2024/01", "subscription/2024/01", "sales/2024/02", "sales/2024/01")
        assert [client.ask(path).status_code for path in paths] == [418, 400, 400, 418]
        assert client.download().status_code == 200
        assert client.download("subscription/2024/03").status_code == 418
        client.account.clear_faults()
        assert client.ask("sales/2024/01").status_code == 400

    @pytest.mark.parametrize("behaviour", [drop, cut_short])
    def test_can_strike_at_other_services_than_their_own(
        self, client: Client, behaviour: Behaviour
    ) -> None:
        client.account.inject_fault("lwa", behaviour)
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            client.ask_for_token()
        assert client.ask_for_token().status_code == 200

    def test_happen_as_often_as_asked(self, client: Client) -> None:
        client.account.fail("api-503", times=2)
        assert [client.ask().status_code for _ in range(4)] == [503, 503, 200, 200]

    def test_happen_always_until_they_are_mended(self, client: Client) -> None:
        client.account.fail("api-503", times=None)
        assert [client.ask().status_code for _ in range(4)] == [503] * 4
        client.account.clear_faults()
        assert client.ask().status_code == 200

    def test_happen_to_one_report_or_month(self, client: Client) -> None:
        client.account.fail("api-503", times=None, report="sales", month=date(2024, 1, 31))
        client.account.fail("bucket-503", report="subscription")
        client.account.put_report("subscription", MONTH, CSV)
        paths = ("sales/2024/01", "subscription/2024/01", "sales/2024/02")
        assert [client.ask(path).status_code for path in paths] == [503, 400, 400]
        assert client.download().status_code == 200
        assert client.download("subscription/2024/03").status_code == 503

    def test_happen_together(self, client: Client) -> None:
        etag = client.download().headers["ETag"]
        client.account.fail("bucket-ignores-conditions")
        client.account.fail("bucket-no-etag")
        answer = client.download(**{"If-None-Match": etag})
        assert answer.status_code == 200
        assert "ETag" not in answer.headers

    def test_happen_one_after_the_other(self, client: Client) -> None:
        client.account.fail("api-503")
        client.account.fail("api-404")
        assert [client.ask().status_code for _ in range(3)] == [503, 404, 200]

    def test_happen_to_one_account_only(self, sandbox: Sandbox, client: Client) -> None:
        sandbox.add_account().fail("api-503", times=None)
        assert client.ask().status_code == 200

    def test_have_known_names(self, account: Account) -> None:
        with pytest.raises(ValueError, match=r"'api-504'.*lwa-503, .*bucket-ignores-conditions"):
            account.fail("api-504")

    def test_of_login_do_not_depend_on_a_report(self, account: Account) -> None:
        with pytest.raises(ValueError, match="lwa-503"):
            account.fail("lwa-503", report="sales")
        with pytest.raises(ValueError, match="misbehaviour of lwa"):
            account.inject_fault("lwa", drop, month=MONTH)


class Report(NamedTuple):
    """A report's ZIP, read with the means of the standard library."""

    parts: list[str]
    header: list[str]
    rows: list[dict[str, str]]

    @classmethod
    def of(cls, account: Account, report: str, month: date) -> Report:
        content = account.get_report(report, month)
        assert content is not None
        return cls.read(content)

    @classmethod
    def read(cls, content: bytes) -> Report:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = [archive.read(name).decode() for name in archive.namelist()]
        tables = [list(csv.reader(io.StringIO(p.lstrip("\ufeff"), newline=""))) for p in parts]
        header = tables[0][0]
        rows = [dict(zip(header, row, strict=True)) for table in tables for row in table[1:]]
        return cls(parts, header, rows)


@pytest.fixture(scope="module")
def sample(sandbox: Sandbox) -> Account:
    """An account with six months of sample reports, which no test changes."""
    account = sandbox.add_account()
    account.add_sample(months=6, rows_per_month=1000, today=TODAY)
    return account


def months(first: int, last: int) -> list[date]:
    return [date(2024, month, 1) for month in range(first, last + 1)]


class TestSamples:
    """Sample reports."""

    # The observed names of columns by their documented ones.
    OBSERVED: ClassVar = {
        "Invoice Id": "Invoice ID",
        "Transaction Id": "Transaction ID",
        "Sales Price": "Sales Price (Marketplace Currency)",
        "Estimated Earnings": "Estimated Earnings (Marketplace Currency)",
        "In-App Subscription Status": "In-App Subscription Status (Trial / Paid)",
        "Usage Time": "Usage Time for Underground Apps (seconds)",
    }

    def sales(self, account: Account, month: date) -> list[dict[str, str]]:
        """Read a month's sales under the documented names, whichever the file has."""
        documented = {observed: name for name, observed in self.OBSERVED.items()}
        rows = Report.of(account, "sales", month).rows
        return [{documented.get(name, name): cell for name, cell in row.items()} for row in rows]

    def all_sales(self, account: Account) -> list[dict[str, str]]:
        return [row for month in months(1, 6) for row in self.sales(account, month)]

    def test_cover_the_last_months(self, sandbox: Sandbox) -> None:
        account = sandbox.add_account()
        account.add_sample(months=3, rows_per_month=100, today=date(2024, 2, 2))
        expected = {
            ("sales", date(2023, 12, 1)): (100, "Wed, 03 Jan 2024 00:00:00 GMT"),
            ("sales", date(2024, 1, 1)): (100, "Fri, 02 Feb 2024 00:00:00 GMT"),
            ("sales", date(2024, 2, 1)): (100, "Fri, 02 Feb 2024 00:00:00 GMT"),
            ("subscription", date(2024, 2, 1)): (100, "Fri, 02 Feb 2024 00:00:00 GMT"),
            ("earnings", date(2024, 1, 1)): (24, "Fri, 02 Feb 2024 00:00:00 GMT"),
        }
        with client_of(account) as client:
            for (report, month), (rows, last_modified) in expected.items():
                answer = client.download(f"{report}/{month:%Y/%m}")
                assert answer.headers["Last-Modified"] == last_modified
                assert len(Report.read(answer.content).rows) == rows
            assert client.ask("earnings/2024/02").text == "Report not found"
            assert client.ask("sales/2023/11").text == "Report not found"

    @pytest.mark.parametrize("report", ["sales", "subscription", "earnings"])
    def test_are_the_same_every_time(self, sandbox: Sandbox, sample: Account, report: str) -> None:
        account = sandbox.add_account()
        account.add_sample(months=2, rows_per_month=1000, today=date(2024, 3, 1))
        month = date(2024, 2, 1)
        assert account.get_report(report, month) == sample.get_report(report, month)

    def test_have_every_layout_within_six_months(self, sample: Account) -> None:
        seen: defaultdict[str, set[object]] = defaultdict(set)
        for month in months(1, 6):
            content = sample.get_report("sales", month) or b""
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                seen["streamed"].add(bool(archive.infolist()[0].flag_bits & 0x08))
                assert archive.namelist()[0] == f"sales-{month:%Y-%m}-00000.csv"
            report = Report.read(content)
            seen["parts"].add(len(report.parts))
            seen["BOM"].add(report.parts[-1].startswith("\ufeff"))
            seen["CRLF"].add(report.parts[-1].endswith("\r\n"))
            seen["quoted"].add('"Marketplace"' in report.parts[0])
            seen["observed"].add("Transaction ID" in report.header)
        assert {name: len(values) for name, values in seen.items()} == dict.fromkeys(seen, 2)

    def test_names_and_times_are_those_documented_or_those_observed(self, sample: Account) -> None:
        documented = Report.of(sample, "sales", date(2024, 2, 1))
        observed = Report.of(sample, "sales", date(2024, 3, 1))
        assert documented.header == [
            *("Marketplace", "Country/Region Code", "Invoice Id", "Transaction Id"),
            *("Transaction Time", "Transaction Type", "Adjustment", "ASIN", "Vendor SKU", "Title"),
            *("Item Name", "Item Type", "In-App Subscription Term", "In-App Subscription Status"),
            *("Units", "Usage Time", "Marketplace Currency", "Sales Price", "Estimated Earnings"),
            *("App User ID", "Receipt ID", "Digital Order ID", "Device Type"),
        ]
        extra = {"Sales Channel", "Device OS"}
        assert set(observed.header) - extra == {
            self.OBSERVED.get(name, name) for name in documented.header
        }
        for row in documented.rows:
            moment, zone = row["Transaction Time"].rsplit(" ", 1)
            assert datetime.strptime(moment, "%m/%d/%y %H:%M")  # noqa: DTZ007
            assert zone.isalpha()
        for row in observed.rows:
            moment, zone = row["Transaction Time"].rsplit(" ", 1)
            assert datetime.strptime(moment, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
            assert zone.isalpha()

    def test_zones_follow_daylight_saving_time(self, sample: Account) -> None:
        zones: defaultdict[str, set[str]] = defaultdict(set)
        for row in self.all_sales(sample):
            zones[row["Marketplace"]].add(row["Transaction Time"].rsplit(" ", 1)[1])
        assert zones["Amazon.com"] == {"PST", "PDT"}
        assert zones["Amazon.de"] == {"CET", "CEST"}
        assert zones["Amazon.com.au"] == {"AEST", "AEDT"}
        assert zones["Amazon.com.br"] == {"BRT"}
        assert zones["Amazon.co.jp"] == {"JST"}

    def test_are_made_in_all_marketplaces(self, sample: Account) -> None:
        rows = self.all_sales(sample)
        assert {
            (r["Marketplace"], r["Country/Region Code"], r["Marketplace Currency"]) for r in rows
        } == {
            ("Amazon.com", "US", "USD"),
            ("Amazon.com.au", "AU", "AUD"),
            ("Amazon.com.br", "BR", "BRL"),
            ("Amazon.ca", "CA", "CAD"),
            ("Amazon.de", "DE", "EUR"),
            ("Amazon.es", "ES", "EUR"),
            ("Amazon.fr", "FR", "EUR"),
            ("Amazon.it", "IT", "EUR"),
            ("Amazon.co.uk", "GB", "GBP"),
            ("Amazon.in", "IN", "INR"),
            ("Amazon.co.jp", "JP", "JPY"),
        }

    @pytest.mark.parametrize("month", months(1, 6))
    def test_have_sales_of_every_kind(self, sample: Account, month: date) -> None:
        rows = self.sales(sample, month)
        assert {row["Item Type"] for row in rows} == {
            *("Application", "In-App", "Game", "Subscription"),
        }
        assert {row["Transaction Type"] for row in rows} == {
            *("Charge", "Refund", "Chargeback", "Chargeback reversal"),
        }
        assert {row["In-App Subscription Term"] for row in rows} == {
            *("", "Weekly", "BiWeekly", "Monthly", "BiMonthly", "Quarterly", "SemiAnnually"),
            "Annually",
        }
        assert {row["In-App Subscription Status"] for row in rows} == {
            *("", "TRIAL", "PAID", "Introductory Price - All Customers"),
            "Promotional Price - Lapsed Customers",
        }
        text = "".join(row["Title"] + row["Item Name"] for row in rows)
        assert set(',"\n') <= set(text)
        assert all(letter in text for letter in ("é", "寿", "م", "क", "Ш"))
        free = [
            r for r in rows if r["Item Type"] == "Application" and Decimal(r["Sales Price"]) == 0
        ]
        assert {row["Transaction Type"] for row in free} == {"Charge"}
        assert "0.00" in {row["Sales Price"] for row in free}
        tests = [row for row in rows if not row["Title"]]
        assert tests
        assert not any(row["Item Name"] for row in tests)

    def test_money_is_given_back_for_charges_before(self, sample: Account) -> None:
        for month in months(1, 6):
            charges: dict[str, dict[str, str]] = {}
            returned = Counter[bool]()
            for row in self.sales(sample, month):
                if row["Transaction Type"] == "Charge":
                    charges[row["Transaction Id"]] = row
                elif row["Adjustment"] == "No":
                    charge = charges[row["Transaction Id"]]
                    assert row["App User ID"] == charge["App User ID"]
                    assert row["Invoice Id"] != charge["Invoice Id"]
                    gives = row["Transaction Type"] != "Chargeback reversal"
                    assert (Decimal(row["Estimated Earnings"]) < 0) is gives
                    if gives:
                        returned[row["Sales Price"].startswith("-")] += 1
            assert min(returned[True], returned[False]) > 0

    def test_adjustments_name_neither_user_nor_receipt(self, sample: Account) -> None:
        for row in self.all_sales(sample):
            anonymous = row["Adjustment"] == "Yes" or row["Item Type"] == "Application"
            assert (not row["App User ID"]) is anonymous
            assert (not row["Receipt ID"]) is anonymous
        assert any(row["Adjustment"] == "Yes" for row in self.all_sales(sample))

    def test_some_sales_are_of_the_month_before(self, sample: Account) -> None:
        for month in months(1, 6):
            written = f"{month:%m/}" if month.month % 2 == 0 else f"{month:%Y-%m-}"
            late = [
                r
                for r in self.sales(sample, month)
                if not r["Transaction Time"].startswith(written)
            ]
            assert 1 <= len(late) <= 20

    def test_trials_convert_or_lapse_and_paid_ones_are_renewed(self, sample: Account) -> None:
        trials: dict[str, date] = {}
        converted: set[str] = set()
        renewed = 0
        for month in months(1, 6):
            for row in self.sales(sample, month):
                receipt, _, periods = row["Receipt ID"].rpartition(":1:")
                if row["In-App Subscription Status"] == "TRIAL":
                    assert (Decimal(row["Sales Price"]), periods) == (Decimal(0), "0")
                    trials[receipt] = month
                elif row["In-App Subscription Status"] == "PAID" and receipt in trials:
                    assert int(periods) == 1 + month.month - trials[receipt].month
                    converted.add(receipt)
                    renewed += trials[receipt] < month
        lapsed = set(trials) - converted
        assert min(len(converted), len(lapsed), renewed) > 20

    def test_invoice_ids_are_unique(self, sample: Account) -> None:
        ids = [row["Invoice Id"] for row in self.all_sales(sample)]
        assert len(set(ids)) == len(ids)

    def test_subscriptions_add_up_from_day_to_day(self, sample: Account) -> None:
        active: dict[tuple[str, ...], tuple[date, int]] = {}
        compared = Counter[int]()
        for month in months(1, 6):
            for row in Report.of(sample, "subscription", month).rows:
                day = datetime.strptime(row["Date"], "%m/%d/%y").replace(tzinfo=timezone.utc).date()
                key = (row["Marketplace"], row["ASIN"], row["Subscription Type"])
                before, number = active.get(key, (day, 0))
                if before == day - timedelta(days=1):
                    number += int(row["Started"]) - int(row["Ended"])
                    assert number == int(row["Active"])
                    compared[day.day] += 1
                assert int(row["Refunded"]) <= int(row["Ended"])
                active[key] = day, int(row["Active"])
        assert compared[1] > 100
        assert {key[2] for key in active} == {"trial", "paid"}

    def test_earnings_repeat_payments(self, sample: Account) -> None:
        report = Report.of(sample, "earnings", MONTH)
        assert len(report.header) == 23
        assert report.header[3:5] == ["Payment ID", "Payment No."]
        payments = Counter(row["Invoice Group ID"] for row in report.rows)
        assert set(payments.values()) == {2}
        assert {row["Payment Status"] for row in report.rows} == {
            *("issued", "not issued", "rejected", ""),
        }
        assert report.rows[0]["Earnings Period End Date"] == "2024-03-31 00:00:00 PDT"

    def test_restated_sales_differ_a_little(self, sandbox: Sandbox, sample: Account) -> None:
        account = sandbox.add_account()
        account.add_sample(months=4, rows_per_month=1000, today=TODAY)
        with client_of(account) as client:
            before = parsedate_to_datetime(client.download().headers["Last-Modified"])
            account.restate("sales", MONTH)
            after = parsedate_to_datetime(client.download().headers["Last-Modified"])
        assert after > before
        old, new = self.sales(sample, MONTH), self.sales(account, MONTH)
        was = {row["Invoice Id"]: row for row in old}
        now = {row["Invoice Id"]: row for row in new}
        kept = [invoice for invoice in was if invoice in now]
        changed = Counter(name for i in kept for name in was[i] if was[i][name] != now[i][name])
        assert set(changed) == {"Title", "Estimated Earnings"}
        assert all(10 < number < 100 for number in changed.values())
        assert 10 < len(was) - len(kept) < 50
        assert 10 < len(now) - len(kept) < 50
        assert [row["Invoice Id"] for row in new if row["Invoice Id"] in was] != kept

    def test_every_restatement_is_another_one(self, sandbox: Sandbox) -> None:
        account = sandbox.add_account()
        account.add_sample(months=2, rows_per_month=100, today=date(2024, 4, 15))
        for report in ("sales", "subscription", "earnings"):
            contents = [account.get_report(report, MONTH)]
            for _ in range(2):
                account.restate(report, MONTH)
                contents.append(account.get_report(report, MONTH))
            assert len(set(contents)) == 3

    def test_only_samples_can_be_restated(self, account: Account) -> None:
        with pytest.raises(ValueError, match="no sample sales report for 2024-03"):
            account.restate("sales", MONTH)

    @pytest.mark.parametrize("report", ["sales", "subscription", "earnings"])
    def test_are_written_with_little_memory(self, tmp_path: Path, report: str) -> None:
        with memory_below(1_000_000):
            write_sample_zip(tmp_path / "report.zip", report, MONTH, 2000)
        assert len(Report.read((tmp_path / "report.zip").read_bytes()).rows) == 2000


class TestArchives:
    """Making CSV and ZIP."""

    def test_a_header_names_all_columns(self) -> None:
        rows: list[dict[str, object]] = [
            {"a": 1, "b": None},
            {"c": 'x,"y"\nz', "a": Decimal("1.10")},
        ]
        assert make_csv(rows) == 'a,b,c\r\n1,,\r\n1.10,,"x,""y""\nz"\r\n'

    @pytest.mark.parametrize("streamed", [False, True])
    def test_a_zip_holds_its_members(self, streamed: bool) -> None:  # noqa: FBT001
        content = make_zip({"ä.csv": "ä", "b.bin": b"\0" * 1000}, streamed=streamed)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            assert [(m.filename, m.file_size) for m in archive.infolist()] == [
                ("ä.csv", 2),
                ("b.bin", 1000),
            ]
            assert {bool(m.flag_bits & 0x08) for m in archive.infolist()} == {streamed}
        assert make_zip({"ä.csv": "ä", "b.bin": b"\0" * 1000}, streamed=streamed) == content


# What the command under the sandbox does: fetch the reports of two months, and tell of them.
FETCH = """
import json, os, sys, requests
def setting(name): return os.environ["TAP_AMAZON_APPSTORE_" + name]
form = dict(client_id=setting("CLIENT_ID"), client_secret=setting("CLIENT_SECRET"),
    grant_type="client_credentials", scope="adx_reporting::appstore:marketer")
token = requests.post(setting("AUTH_URL"), data=form).json()["access_token"]
for month in sys.argv[1:]:
    answer = requests.get(setting("API_URL") + "/api/appstore/download/report/sales/" + month,
        headers={"Authorization": "Bearer " + token})
    if answer.ok:
        answer = requests.get(answer.text)
        print(answer.headers.get("ETag"), answer.headers["Last-Modified"])
    else:
        print(answer.status_code, answer.text)
"""
WAIT = """
import signal, sys, time
def leave(number, frame): sys.exit(10 + number)
signal.signal(signal.SIGINT, leave)
signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
time.sleep(15)
"""


def fetch(capfd: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """Fetch last month's and this month's sales in a sandbox with these options."""
    this = datetime.now(timezone.utc).date().replace(day=1)
    last = (this - timedelta(days=1)).replace(day=1)
    command = (sys.executable, "-c", FETCH, f"{last:%Y/%m}", f"{this:%Y/%m}")
    assert main(["--months=2", "--rows=50", *options, *command]) == 0
    stdout, stderr = capfd.readouterr()
    assert stderr == ""
    return stdout.splitlines()


class TestCommand:
    """``python -m sandbox``, mostly without starting another Python for it."""

    def test_files_change_only_when_they_are_restated(
        self, capfd: pytest.CaptureFixture[str]
    ) -> None:
        first, again = fetch(capfd), fetch(capfd, "--")
        restated = fetch(capfd, "--restate=1")
        assert first == again
        assert restated[0] != first[0]
        assert restated[1] == first[1]

    def test_an_account_can_be_empty(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert fetch(capfd, "--empty") == ["400 Report not found"] * 2

    def test_faults_can_be_switched_on(self, capfd: pytest.CaptureFixture[str]) -> None:
        last, this = fetch(capfd, "--fault", "api-503:1", "--fault=bucket-no-etag")
        assert last.startswith("503")
        assert this.startswith("None ")

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to pass on")
    def test_passes_signals_and_the_exit_code_on(self) -> None:
        command = [sys.executable, "-m", "sandbox", "--empty", sys.executable, "-c", WAIT]
        processes = {
            number: subprocess.Popen(
                command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
            )
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        for number, process in processes.items():
            with process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n"
                process.send_signal(number)
                assert process.wait(timeout=10) == 10 + number
                assert process.stdout.read() == b""

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to die of")
    def test_tells_of_a_command_that_died(self) -> None:
        kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
        assert main(["--empty", sys.executable, "-c", kill]) == 128 + signal.SIGKILL

    def test_leaves_signals_as_they_were(self) -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        assert main(["--empty", sys.executable, "-c", "raise SystemExit(7)"]) == 7
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before

    def test_lists_faults(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--list-faults"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == list(FAULTS)

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            ([], "a command to run is missing"),
            (["--"], "a command to run is missing"),
            (["--fault", "nope", "x"], "There is no fault 'nope'. There are: lwa-503"),
            (["--fault", "api-503:x", "x"], "--fault"),
        ],
    )
    def test_refuses_what_makes_no_sense(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
    ) -> None:
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
        stdout, stderr = capsys.readouterr()
        assert stdout == ""
        assert complaint in stderr

    def test_tells_that_there_is_no_such_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--empty", "no-such-command"]) == 127
        assert "no-such-command" in capsys.readouterr().err
