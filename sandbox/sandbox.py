"""The sandbox: Login with Amazon, the Reporting API and its bucket, on the loopback address."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING

import werkzeug
from werkzeug.datastructures import Headers

from sandbox.accounts import Account, Endpoints
from sandbox.bucket import Bucket, strip_odd_prefix
from sandbox.calls import Call, Request
from sandbox.faults import answer_with_faults
from sandbox.login import TOKEN_PATH, answer_login
from sandbox.profiles import Limits
from sandbox.reporting import answer_report_request, bearer_token, too_many_requests
from sandbox.reports import REPORTS, parse_key, parse_route
from sandbox.server import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import TracebackType

    from _typeshed.wsgi import WSGIApplication
    from typing_extensions import Self

    from sandbox.calls import Answer, Service


class Sandbox:
    """Three services that behave as Amazon's do, for any number of accounts.

    They run from construction until `close`; as a context manager the sandbox closes itself.
    Nothing leaves the machine, and neither AWS credentials nor AWS settings of the user are read.
    """

    def __init__(  # noqa: PLR0913 - each has a name
        self,
        *,
        api_latency: float = 0.0,
        download_latency: float = 0.0,
        token_lifetime: float = 3600,
        url_lifetime: int = 300,
        requests_per_second: int = 3,
        port: int | None = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the services.

        Times are in seconds. The latencies precede each response of the API and of the bucket;
        `requests_per_second` is the API's limit for each account; `clock` measures tokens, that
        limit, and faults that last for a time. The API listens on `port`, Login with Amazon and
        the bucket on the two ports after it; 0 is: on free ones, `None`: no servers (see `apps`).
        """
        self._latencies = {"lwa": 0.0, "api": api_latency, "bucket": download_latency}
        self._limits = Limits(token_lifetime, url_lifetime, requests_per_second, clock)
        self._accounts: dict[str, Account] = {}
        self._log: list[Request] = []
        self._bucket = Bucket()
        self.apps: dict[Service, WSGIApplication] = {
            "api": werkzeug.Request.application(self._serve_api),
            "lwa": werkzeug.Request.application(self._serve_login),
            "bucket": werkzeug.Request.application(self._serve_bucket),
        }
        """The services as WSGI applications."""
        self._servers: list[LoopbackServer] = []
        urls = {service: f"http://127.0.0.1:{i}" for i, service in enumerate(self.apps, 1)}
        if port is not None:
            for i, (service, app) in enumerate(self.apps.items()):
                self._servers.append(LoopbackServer(app, port + i if port else 0))
                urls[service] = self._servers[-1].url
        self._endpoints = Endpoints(urls["lwa"], urls["api"], urls["bucket"], self._bucket)

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
        """Stop the servers and remove all reports."""
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
        keys = self._bucket.batch_keys
        return {"key": keys.access_key, "secret": keys.secret_key}

    @property
    def batch_bucket(self) -> str:
        """The name of a bucket that is empty at first."""
        return self._bucket.batches

    @property
    def requests(self) -> list[Request]:
        """All requests so far, those of no known account included, in the order of responses."""
        return self._log.copy()

    def add_account(
        self,
        *,
        attached: bool = True,
        reports: Collection[str] = REPORTS,
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
            limits=self._limits,
            endpoints=self._endpoints,
        )
        self._accounts[account.client_id] = account
        return account

    def _serve_login(self, request: werkzeug.Request) -> werkzeug.Response:
        account = self._accounts.get(request.values.get("client_id", ""))
        call = Call(request, "lwa", account)
        return self._answer(call, account, lambda: answer_login(call))

    def _serve_api(self, request: werkzeug.Request) -> werkzeug.Response:
        token = bearer_token(request) or ""
        account = self._find(lambda account: account.has_issued(token))
        call = Call(request, "api", account, *parse_route(request.path))
        call.sign_in_url = account.sign_in_url if account else ""
        bucket, url = self._bucket, self._endpoints.bucket_url
        return self._answer(call, account, lambda: answer_report_request(call, bucket, url))

    def _serve_bucket(self, request: werkzeug.Request) -> werkzeug.Response:
        number, report, period = parse_key(strip_odd_prefix(request.path))
        account = self._find(lambda account: account.number == number)
        call = Call(request, "bucket", account, report, period)
        return self._answer(call, account, lambda: self._bucket.answer_s3(request))

    def _find(self, is_wanted: Callable[[Account], bool]) -> Account | None:
        return next((a for a in list(self._accounts.values()) if is_wanted(a)), None)

    def _answer(self, call: Call, account: Account | None, answer: Answer) -> werkzeug.Response:
        status = None
        try:
            if account and call.service == "api" and not account.count_request():
                response = too_many_requests()
            else:
                if account:
                    time.sleep(self._latencies[call.service])
                faults = account.faults.copy() if account else []
                response = answer_with_faults(faults, call, answer)
            status = response.status_code
        finally:
            # Recorded before it is sent: a client that has the response finds the request recorded.
            record = _record(call, status)
            self._log.append(record)
            if account:
                account.log.append(record)
        return response


def _record(call: Call, status: int | None) -> Request:
    http = call.http
    return Request(
        time=call.time,
        service=call.service,
        method=http.method,
        path=http.path,
        query=http.args.to_dict(),
        headers=Headers(http.headers),
        status=status,
        client_address=(http.environ.get("REMOTE_ADDR", ""), http.environ.get("REMOTE_PORT", 0)),
        report=call.report,
        period=call.period,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
