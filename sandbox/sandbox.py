"""The sandbox: Login with Amazon, the Reporting API and its bucket, on the loopback address."""

from __future__ import annotations

import hashlib
import secrets
import time
from functools import partial
from typing import TYPE_CHECKING

from sandbox.accounts import Account
from sandbox.bucket import Bucket
from sandbox.faults import answer_with_faults
from sandbox.login import answer_login
from sandbox.reporting import answer_report_request, bearer_token, too_many_requests
from sandbox.reports import REPORTS, parse_key, parse_route
from sandbox.request import Request
from sandbox.server import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from _typeshed.wsgi import WSGIApplication
    from typing_extensions import Self
    from werkzeug import Response

    from sandbox.request import Answer, Service


class Sandbox:
    """Three services that behave as Amazon's do, for any number of accounts.

    They run from construction until the end of the context. Nothing leaves the machine, and neither
    AWS credentials nor AWS settings of the user are read.
    """

    def __init__(  # noqa: PLR0913 - each has a name
        self,
        *,
        api_latency: float = 0.0,
        download_latency: float = 0.0,
        token_lifetime: float = 3600,
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
        self._accounts: dict[str, Account] = {}
        self._bucket = Bucket()
        self.apps: dict[Service, WSGIApplication] = {
            "api": _make_app(self._serve_api),
            "lwa": _make_app(self._serve_login),
            "bucket": _make_app(self._serve_bucket),
        }
        """The services as WSGI applications."""
        self._servers: list[LoopbackServer] = []
        self._urls = {service: f"http://127.0.0.1:{i}" for i, service in enumerate(self.apps, 1)}
        if port is not None:
            for i, (service, app) in enumerate(self.apps.items()):
                self._servers.append(LoopbackServer(app, port + i if port else 0))
                self._urls[service] = self._servers[-1].url
        self._make_account = partial(
            Account,
            token_lifetime=token_lifetime,
            requests_per_second=requests_per_second,
            clock=clock,
            urls=self._urls,
            bucket=self._bucket,
        )

    def __enter__(self) -> Self:
        """Return the sandbox itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the servers and remove all reports."""
        for server in self._servers:
            server.stop()
        self._bucket.close()

    @property
    def s3_endpoint_url(self) -> str:
        """The URL of the bucket's server, for S3 clients."""
        return self._urls["bucket"]

    @property
    def s3_credentials(self) -> dict[str, str]:
        """The `key` and `secret` with which an S3 client may write to `batch_bucket`."""
        keys = self._bucket.batch_keys
        return {"key": keys.access_key, "secret": keys.secret_key}

    @property
    def batch_bucket(self) -> str:
        """The name of a bucket that is empty at first."""
        return self._bucket.batches

    def add_account(
        self, *, reports: Collection[str] = REPORTS, name: str | None = None
    ) -> Account:
        """Create an account without reports, whose security profile may read `reports`.

        Its client id and secret are new; those of an account with a `name` are the same in every
        sandbox.
        """
        seed = secrets.token_hex() if name is None else f"sandbox account {name}"
        account = self._make_account(
            client_id=f"amzn1.application-oa2-client.{_digest(f'{seed} id')[:32]}",
            client_secret=f"amzn1.oa2-cs.v1.{_digest(f'{seed} secret')}",
            reports=reports,
        )
        self._accounts[account.client_id] = account
        return account

    def _serve_login(self, request: Request) -> Response:
        account = self._accounts.get(request.form.get("client_id", ""))
        return self._answer("lwa", account, request, lambda: answer_login(request))

    def _serve_api(self, request: Request) -> Response:
        token = bearer_token(request)
        account = self._find(lambda account: account.has_issued(token))
        request.report, request.month = parse_route(request.path)
        answer = partial(answer_report_request, request, self._bucket, self._urls["bucket"])
        return self._answer("api", account, request, answer)

    def _serve_bucket(self, request: Request) -> Response:
        number, request.report, request.month = parse_key(request.path)
        account = self._find(lambda account: account.number == number)
        return self._answer("bucket", account, request, lambda: self._bucket.answer_s3(request))

    def _find(self, is_wanted: Callable[[Account], bool]) -> Account | None:
        return next((a for a in list(self._accounts.values()) if is_wanted(a)), None)

    def _answer(
        self, service: Service, account: Account | None, request: Request, answer: Answer
    ) -> Response:
        request.service, request.account, request.time = service, account, time.monotonic()
        if account is None:
            return answer()
        try:
            if service == "api" and not account.count_request():
                response = too_many_requests()
            else:
                time.sleep(self._latencies[service])
                response = answer_with_faults(account.faults.copy(), request, answer)
            request.status = response.status_code
        finally:
            # Recorded before it is sent: a client that has the response finds the request recorded.
            account.requests.append(request)
        return response


def _make_app(serve: Callable[[Request], Response]) -> WSGIApplication:
    return lambda environ, start_response: serve(Request(environ))(environ, start_response)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
