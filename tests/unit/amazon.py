"""Amazon's services without a server: responses on a socket that exists in this process only.

Everything above the socket is real: `requests`, urllib3 and `http.client` write requests and parse
responses.
"""

from __future__ import annotations

import io
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.client import parse_headers
from typing import TYPE_CHECKING, NamedTuple

from werkzeug.datastructures import Headers

from tap_amazon_appstore.auth import LoginWithAmazon
from tap_amazon_appstore.client import ReportingClient
from tap_amazon_appstore.patience import Patience

if TYPE_CHECKING:
    from typing_extensions import Buffer

Piece = bytes | BaseException | Callable[[], object]
"""Bytes that arrive, an error instead of them, or what happens in between."""

Response = list[Piece]

PORTS = {"lwa": 1, "api": 2, "bucket": 3}

FILE = b"the file"
LAST_MODIFIED = "Wed, 03 Apr 2024 12:30:00 GMT"
FILE_HEADERS = {"ETag": '"1"', "Last-Modified": LAST_MODIFIED}


def response(status: int = 200, body: bytes | str = b"", **headers: str) -> Response:
    """Return a response with its length; underscores in names of headers become hyphens."""
    content = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return raw_response(status, [content], {"Content-Length": str(len(content)), **named})


def raw_response(status: int, body: Iterable[Piece], headers: dict[str, str]) -> Response:
    """Return a response with these headers only; the connection is closed after it."""
    lines = [f"HTTP/1.1 {status} Status", *(f"{n}: {v}" for n, v in headers.items())]
    head = "\r\n".join([*lines, "Connection: close", "", ""]).encode()
    return [head, *body]


class Request(NamedTuple):
    """A request as it was written to the socket."""

    service: str
    method: str
    target: str
    headers: Headers
    body: str


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


class _Wire(io.RawIOBase):
    """The bytes of a response, in the pieces in which they arrive."""

    def __init__(self, pieces: Response) -> None:
        self._pieces = deque(pieces)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        while not self._rest:
            if not self._pieces:
                return 0
            piece = self._pieces.popleft()
            if isinstance(piece, BaseException):
                raise piece
            if callable(piece):
                piece()
            else:
                self._rest = piece
        part, self._rest = self._rest[: len(view)], self._rest[len(view) :]
        view[: len(part)] = part
        return len(part)


class _Socket:
    """What `http.client` needs of a socket."""

    def __init__(
        self, service: str, answer: Callable[[Request], Response], timeouts: list[float | None]
    ) -> None:
        self._service = service
        self._answer = answer
        self._timeouts = timeouts
        self._sent = bytearray()

    def sendall(self, data: bytes) -> None:
        self._sent += data

    def makefile(self, *_: object) -> io.BufferedReader:
        file = io.BytesIO(self._sent)
        method, target, _version = file.readline().decode("ascii").split(" ")
        headers = Headers(list(parse_headers(file).items()))
        request = Request(self._service, method, target, headers, file.read().decode())
        return io.BufferedReader(_Wire(self._answer(request)))

    def settimeout(self, seconds: float | None) -> None:
        self._timeouts.append(seconds)

    def shutdown(self, _: int) -> None: ...

    def close(self) -> None: ...


@dataclass
class Amazon:
    """Login with Amazon, the Reporting API and its bucket; each answers in the usual way.

    `put` lets a service answer otherwise, once or always.
    """

    clock: Clock = field(default_factory=Clock)
    requests: list[Request] = field(default_factory=list)
    connect_timeouts: list[float | None] = field(default_factory=list)
    read_timeouts: list[float | None] = field(default_factory=list)
    url: str = "http://127.0.0.1:3/sales.zip?X-Amz-Signature=1"
    connect: Callable[[tuple[str, int]], object] | None = None
    _next: dict[str, deque[Response]] = field(default_factory=lambda: defaultdict(deque))
    _always: dict[str, Response | Callable[[Request], Response]] = field(default_factory=dict)

    def put(self, service: str, *responses: Response) -> None:
        """Answer the next requests to a service by these."""
        self._next[service] += responses

    def always(self, service: str, answer: Response | Callable[[Request], Response]) -> None:
        """Answer all further requests to a service by this."""
        self._always[service] = answer

    def create_connection(
        self, address: tuple[str, int], timeout: float | None, **_: object
    ) -> _Socket:
        """Connect to a service; takes the place of urllib3's function of that name."""
        self.connect_timeouts.append(timeout)
        if self.connect:
            self.connect(address)
        service = {port: name for name, port in PORTS.items()}.get(address[1], "proxy")
        return _Socket(service, self._answer, self.read_timeouts)

    def count(self, service: str) -> int:
        """Return how many requests a service has received."""
        return len([request for request in self.requests if request.service == service])

    def sent(self, service: str, header: str) -> list[str | None]:
        """Return the values of a header in the requests to a service."""
        return [r.headers.get(header) for r in self.requests if r.service == service]

    def client(
        self,
        *,
        api_url: str = "http://127.0.0.1:2",
        auth_url: str = "http://127.0.0.1:1/token",
        requests_per_second: float = 1000,
        **patience: float,
    ) -> ReportingClient:
        """Return a client that never really waits."""
        limits = Patience(
            clock=self.clock,
            sleep=self.clock.sleep,
            jitter=lambda: 0.0,
            **patience,  # type: ignore[arg-type]
        )
        authenticator = LoginWithAmazon(
            client_id="id",
            client_secret="secret",  # noqa: S106
            auth_url=auth_url,
            user_agent="tests",
            patience=limits,
        )
        return ReportingClient(
            api_url=api_url,
            authenticator=authenticator,
            user_agent="tests",
            requests_per_second=requests_per_second,
            patience=limits,
        )

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        if waiting := self._next[request.service]:
            return waiting.popleft()
        usual: Response | Callable[[Request], Response] = getattr(self, f"_{request.service}", [])
        answer = self._always.get(request.service, usual)
        return answer(request) if callable(answer) else answer

    def _lwa(self, _: Request) -> Response:
        token = f"Atc|{self.count('lwa')}"
        return response(200, f'{{"access_token": "{token}", "expires_in": 3600}}')

    def _api(self, _: Request) -> Response:
        return response(200, self.url)

    def _bucket(self, request: Request) -> Response:
        if '"1"' in request.headers.get("If-None-Match", ""):
            return response(304)
        if request.headers.get("If-Modified-Since") == LAST_MODIFIED:
            return response(304)
        return response(200, FILE, ETag='"1"', Last_Modified=LAST_MODIFIED)


def chunked(*chunks: bytes) -> Iterator[Piece]:
    """Yield a body in chunked encoding."""
    for chunk in (*chunks, b""):
        yield f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n"
