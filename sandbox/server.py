"""A threaded HTTP/1.1 server on the loopback address.

Werkzeug's own server closes the connection after every answer. Amazon's keep it open, and a client
that reuses connections should meet one that can be reused, so this handler answers any number of
requests on one connection.
"""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOOPBACK = "127.0.0.1"


class _Handler(WSGIRequestHandler):
    """Answers the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    # Headers and body are sent one after the other; with Nagle's algorithm the body would wait for
    # the client's delayed acknowledgement of the headers.
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer one request; a `ConnectionError` on the way closes the connection."""
        environ = self.make_environ()
        # http.server removes slashes from the beginning of a path, which may have been signed.
        environ["RAW_URI"] = self.requestline.split()[1]
        # The next request of the connection starts where the body of this one ends, whether or not
        # the application looks at it.
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        chunks, status, headers = run_wsgi_app(self.server.app, environ)
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)
        self.send_header("Date", self.date_time_string())
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        chunked = ("Transfer-Encoding", "chunked") in list(headers)
        for chunk in filter(None, chunks):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else chunk)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")


class LoopbackServer(ThreadedWSGIServer):
    """Serves a WSGI application on a port of 127.0.0.1 (0: a free one), until `stop`.

    Where the application, or the body of its response, raises a `ConnectionError`, the connection
    is closed at that point. Every response must have a `Content-Length`, or be marked by a header
    `Transfer-Encoding: chunked` or `Connection: close`.
    """

    def __init__(self, application: WSGIApplication, port: int = 0) -> None:
        super().__init__(LOOPBACK, port, application, _Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

    def stop(self) -> None:
        """Accept no more connections."""
        self.shutdown()
        self._thread.join()
