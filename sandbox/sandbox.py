"""The sandbox: Login with Amazon, the Reporting API and its bucket, on the loopback address."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING

import werkzeug
from werkzeug.datastructures import Headers

from sandbox import login, reporting
from sandbox.accounts import Account, Endpoints, parse_key
from sandbox.bucket import Bucket
from sandbox.calls import Call, Request
from sandbox.faults import answer_through
from sandbox.login import TOKEN_PATH
from sandbox.server import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import TracebackType

    from typing_extensions import Self

    Answer = Callable[[Call], werkzeug.Response]


class Sandbox:
    """Three servers that behave as Amazon's do, for any number of accounts.

    They serve from construction until `close`; as a context manager the sandbox closes itself.
    Nothing leaves the machine, and neither AWS credentials nor AWS settings of the user are read.
    """

    def __init__(
        self,
        *,
        api_latency: float = 0.0,
        download_latency: float = 0.0,
        token_lifetime: float = 3600,
        url_lifetime: int = 300,
        requests_per_second: int = 3,
    ) -> None:
        """Start the servers.

        Times are in seconds. The latencies are waited for before each answer of the API and of the
        bucket; `requests_per_second` is the API's limit for each account.
        """
        self._api_latency = api_latency
        self._download_latency = download_latency
        self._accounts: dict[str, Account] = {}
        self._log: list[Request] = []
        self._bucket = Bucket()
        self._servers = [
            LoopbackServer(werkzeug.Request.application(answer))
            for answer in (self._lwa, self._api, self._download)
        ]
        lwa, api, bucket = (server.url for server in self._servers)
        self._endpoints = Endpoints(
            bucket=self._bucket,
            bucket_url=bucket,
            api_url=api,
            login_url=lwa,
            token_lifetime=token_lifetime,
            url_lifetime=url_lifetime,
            requests_per_second=requests_per_second,
        )

    def __enter__(self) -> Self:
        """Return the sandbox itself."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the sandbox."""
        self.close()

    def close(self) -> None:
        """Stop the servers and forget all reports."""
        for server in self._servers:
            server.stop()
        self._bucket.close()

    @property
    def api_url(self) -> str:
        """The base URL of the Reporting API."""
        return self._endpoints.api_url

    @property
    def auth_url(self) -> str:
        """The URL of LWA's token endpoint."""
        return self._endpoints.login_url + TOKEN_PATH

    @property
    def s3_endpoint_url(self) -> str:
        """The URL of the bucket's server, for S3 clients."""
        return self._endpoints.bucket_url

    @property
    def s3_credentials(self) -> dict[str, str]:
        """The `key` and `secret` with which an S3 client may write to `batch_bucket`."""
        return {"key": self._bucket.batch_keys.key, "secret": self._bucket.batch_keys.secret}

    @property
    def batch_bucket(self) -> str:
        """The name of a bucket that is empty at first."""
        return self._bucket.batches

    @property
    def requests(self) -> list[Request]:
        """All requests so far, those of no known account included, in the order of answers."""
        return self._log.copy()

    def add_account(
        self,
        *,
        attached: bool = True,
        reports: Collection[str] = reporting.REPORTS,
        name: str | None = None,
    ) -> Account:
        """Create an account without reports.

        Its security profile is attached to the Reporting API and may read `reports`. Its client
        id and secret are new; those of an account with a `name` are the same in every sandbox.
        """
        seed = secrets.token_hex() if name is None else f"sandbox account {name}"
        account = Account(
            f"amzn1.application-oa2-client.{_digest(f'{seed} id')[:32]}",
            f"amzn1.oa2-cs.v1.{_digest(f'{seed} secret')}",
            attached=attached,
            reports=reports,
            endpoints=self._endpoints,
        )
        self._accounts[account.client_id] = account
        return account

    def _lwa(self, request: werkzeug.Request) -> werkzeug.Response:
        account = self._accounts.get(request.values.get("client_id", ""))
        return self._record(Call(request, "lwa", account), _through_faults(login.answer))

    def _api(self, request: werkzeug.Request) -> werkzeug.Response:
        token = reporting.bearer_token(request) or ""
        account = self._find(lambda account: account.issued(token))
        report, month = reporting.parse_path(request.path)
        return self._record(Call(request, "api", account, report, month), self._answer_api)

    def _answer_api(self, call: Call) -> werkzeug.Response:
        if call.account and not call.account.admit():
            return reporting.too_many_requests()
        time.sleep(self._api_latency)
        return _through_faults(reporting.answer)(call)

    def _download(self, request: werkzeug.Request) -> werkzeug.Response:
        number, report, month = parse_key(request.path)
        account = self._find(lambda account: account.number == number)
        return self._record(Call(request, "bucket", account, report, month), self._answer_download)

    def _answer_download(self, call: Call) -> werkzeug.Response:
        if call.account:
            time.sleep(self._download_latency)
        return _through_faults(lambda call: self._bucket.answer(call.http))(call)

    def _find(self, wanted: Callable[[Account], bool]) -> Account | None:
        return next((a for a in list(self._accounts.values()) if wanted(a)), None)

    def _record(self, call: Call, answer: Answer) -> werkzeug.Response:
        status = None
        try:
            response = answer(call)
            status = response.status_code
        finally:
            # Recorded before it is sent: whoever has the answer finds the request recorded.
            record = _record_of(call, status)
            self._log.append(record)
            if call.account:
                call.account.log.append(record)
        return response


def _through_faults(answer: Answer) -> Answer:
    def faulty(call: Call) -> werkzeug.Response:
        faults = call.account.faults.copy() if call.account else []
        return answer_through(faults, call, lambda: answer(call))

    return faulty


def _record_of(call: Call, status: int | None) -> Request:
    http = call.http
    return Request(
        time=call.time,
        service=call.service,
        method=http.method,
        path=http.path,
        query=http.args.to_dict(),
        headers=Headers(http.headers),
        status=status,
        client_address=(http.environ["REMOTE_ADDR"], http.environ["REMOTE_PORT"]),
        report=call.report,
        month=call.month,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
