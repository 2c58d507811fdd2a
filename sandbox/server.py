"""A threaded HTTP/1.1 server on the loopback address.

Werkzeug's own server closes the connection after every answer. Amazon's keep it open, and a client
that reuses connections should meet one that can be reused, so this handler answers any number of
requests on one connection.
"""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import threading
from typing import TYPE_CHECKING

from werkzeug.exceptions import InternalServerError
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

LOOPBACK = "127.0.0.1"

logger = logging.getLogger(__name__)


class _Handler(WSGIRequestHandler):
    """Answers the requests of one connection, one after the other."""

    server: LoopbackServer
    protocol_version = "HTTP/1.1"
    # Headers and body are sent one after the other; with Nagle's algorithm the body would wait for
    # the client's delayed acknowledgement of the headers.
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Remember the connection for as long as it is open."""
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        """Forget the connection."""
        self.server.connections.discard(self.connection)
        super().finish()

    def run_wsgi(self) -> None:
        """Answer one request; a `ConnectionError` of the application ends the connection."""
        environ = self.make_environ()
        # http.server removes slashes from the beginning of a path, which may have been signed.
        environ["RAW_URI"] = self.requestline.split()[1]
        _read_body(environ)
        try:
            self._answer(self.server.app, environ)
        except ConnectionError:
            self.close_connection = True
        except Exception:
            logger.exception("The sandbox has a defect")
            self._answer(InternalServerError(), environ)

    def _answer(self, application: WSGIApplication, environ: WSGIEnvironment) -> None:
        body, status, headers = run_wsgi_app(application, environ)
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)
        self.send_header("Date", self.date_time_string())
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        chunked = ("Transfer-Encoding", "chunked") in list(headers)
        for chunk in filter(None, body):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else chunk)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - inherited name
        """Keep silent: the sandbox records its requests itself."""


def _read_body(environ: WSGIEnvironment) -> None:
    # The next request of the connection starts where the body of this one ends, whether or not the
    # application looks at it.
    stream = environ["wsgi.input"]
    if environ.pop("wsgi.input_terminated", False):
        body = stream.read()
        environ["CONTENT_LENGTH"] = str(len(body))
        del environ["HTTP_TRANSFER_ENCODING"]
    else:
        body = stream.read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)


class LoopbackServer(ThreadedWSGIServer):
    """Serves a WSGI application on a free port of 127.0.0.1, from construction until `stop`.

    Where the application, or the body of its response, raises a `ConnectionError`, the connection
    is closed at that point. Every response must have a `Content-Length`, or be marked by a header
    `Transfer-Encoding: chunked` or `Connection: close`.
    """

    def __init__(self, application: WSGIApplication, port: int = 0) -> None:
        super().__init__(LOOPBACK, port, application, _Handler)
        self.connections: set[socket.socket] = set()
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

    def stop(self) -> None:
        """Stop listening and close every connection that is still open."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        for connection in list(self.connections):
            # The client may have been faster.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore connections that clients broke off."""
