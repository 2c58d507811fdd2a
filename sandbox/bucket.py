"""S3: report files behind presigned URLs, and moto's bucket for batch files.

The bucket remembers the URLs that it presigned: one must be requested byte for byte as it was, and
must not have expired. What is done to batch files is moto's work; it lets everybody in, so the
access key is checked here.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import s3_backends
from werkzeug import Response

if TYPE_CHECKING:
    from sandbox.request import Request

_REGION = "us-east-1"
_REPORTS = "appstore-adx-reporting"

ODD_PREFIX = "//a%2fb|c[d]%"
"""What may precede the path of a presigned URL: all that HTTP clients like to normalise."""


class _File(NamedTuple):
    content: bytes
    etag: str
    last_modified: datetime


class Bucket:
    """An S3 endpoint with a bucket of report files and a bucket for batch files.

    Every instance is a separate AWS account in moto, so that instances share nothing.
    """

    def __init__(self) -> None:
        """Create both buckets, empty."""
        self._aws_account = f"{secrets.randbelow(10**12):012}"
        self.batches = f"tap-batches-{self._aws_account}"
        self._presigner, self.batch_keys = _make_credentials(), _make_credentials()
        self._files: dict[str, _File] = {}
        self._presigned: dict[str, tuple[str, float]] = {}
        self._objects = s3_backends[self._aws_account]["aws"]
        self._objects.create_bucket(self.batches, _REGION)
        self._app = create_backend_app("s3")

    def put(self, key: str, content: bytes, last_modified: datetime) -> None:
        """Store a report file.

        Its `Last-Modified` is at least one second later than that of the file it replaces: HTTP
        dates have whole seconds.
        """
        moment = last_modified.astimezone(timezone.utc).replace(microsecond=0)
        if key in self._files:
            moment = max(moment, self._files[key].last_modified + timedelta(seconds=1))
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        self._files[key] = _File(content, etag, moment)

    def get(self, key: str) -> bytes | None:
        """Return a report file, or `None` if there is none of that name."""
        return self._files[key].content if key in self._files else None

    def close(self) -> None:
        """Remove all objects."""
        for stored in self._objects.get_bucket(self.batches).keys.values():
            stored.dispose()
        s3_backends.bucket_accounts.pop(self.batches, None)
        s3_backends.pop(self._aws_account, None)

    def presign(self, endpoint: str, key: str, lifetime: int) -> str:
        """Make the URL from which a report file can be downloaded for `lifetime` seconds."""
        request = AWSRequest("GET", f"{endpoint}/{_REPORTS}/{key}")
        S3SigV4QueryAuth(self._presigner, "s3", _REGION, lifetime).add_auth(request)
        self._presigned[request.url] = (key, time.monotonic() + lifetime)
        return str(request.url)

    def answer_s3(self, request: Request) -> Response:
        """Answer a request as S3 does."""
        header = request.headers.get("Authorization", "")
        if "X-Amz-Signature" in request.args:
            return s3_error(400, "InvalidArgument") if header else self._answer_download(request)
        if f"Credential={self.batch_keys.access_key}/" not in header:
            return s3_error(403, "AccessDenied")
        environ = {**request.environ, "HTTP_X_MOTO_ACCOUNT_ID": self._aws_account}
        return Response.from_app(self._app, environ)

    def _answer_download(self, request: Request) -> Response:
        url = request.host_url.rstrip("/") + request.environ["RAW_URI"]
        key, expires_at = self._presigned.get(url, ("", 0.0))
        if not key or request.method != "GET":
            return s3_error(403, "SignatureDoesNotMatch")
        if time.monotonic() >= expires_at:
            return s3_error(403, "AccessDenied")
        file = self._files[key]
        response = Response(file.content, content_type="application/zip")
        response.set_etag(file.etag)
        response.last_modified = file.last_modified
        return response.make_conditional(request)


def s3_error(status: int, code: str) -> Response:
    """Make one of S3's error responses."""
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
    return Response(content, status, content_type="application/xml")


def _make_credentials() -> Credentials:
    return Credentials(f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30))
