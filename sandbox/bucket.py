"""An S3 of its own: moto's, behind the checks that moto leaves out.

moto keeps objects, makes ETags, answers ranges and conditional requests, but lets everybody in.
Here a request must carry exactly one valid AWS signature, and a presigned URL must not be expired.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from datetime import datetime, timedelta, timezone
from typing import Any
from xml.sax.saxutils import escape

from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import s3_backends
from werkzeug.wrappers import Request, Response

from sandbox import signature
from sandbox.signature import Claim, KeyPair

_SECOND = timedelta(seconds=1)


class Bucket:
    """An S3 endpoint with a bucket of report files and a bucket for batch files.

    Every instance is an AWS account of its own in moto, so that instances share nothing.
    """

    def __init__(self) -> None:
        """Create both buckets, empty."""
        self._aws_account = f"{secrets.randbelow(10**12):012}"
        self.reports = f"appstore-adx-reporting-{self._aws_account}"
        self.batches = f"tap-batches-{self._aws_account}"
        self._presigner = _new_key_pair()
        self.batch_keys = _new_key_pair()
        self._secrets = {pair.key: pair for pair in (self._presigner, self.batch_keys)}
        self._objects = s3_backends[self._aws_account]["aws"]
        for name in (self.reports, self.batches):
            self._objects.create_bucket(name, "us-east-1")
        self._app = create_backend_app("s3")
        self._last_modified: dict[str, datetime] = {}
        self._retired: list[Any] = []
        self._lock = threading.Lock()

    def put(self, key: str, content: bytes, last_modified: datetime) -> None:
        """Store a report file.

        Its `Last-Modified` is moved to one second after the one that the key had before, if it
        would not be later otherwise: HTTP dates have whole seconds.
        """
        moment = last_modified.astimezone(timezone.utc).replace(microsecond=0)
        with self._lock:
            if key in self._last_modified:
                moment = max(moment, self._last_modified[key] + _SECOND)
            self._last_modified[key] = moment
            self._retire(key)
            # moto would compute the ETag only when it is asked for, and get in the way of requests
            # that read the file at that time.
            etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
            stored = self._objects.put_object(self.reports, key, content, etag=etag)
            stored.last_modified = moment.replace(tzinfo=None)

    def exists(self, key: str) -> bool:
        """Tell whether there is a report file of that name."""
        return self._objects.get_object(self.reports, key) is not None

    def get(self, key: str) -> bytes | None:
        """Return a report file, or `None` if there is none of that name."""
        stored = self._objects.get_object(self.reports, key)
        return stored.value if stored else None

    def remove(self, key: str) -> None:
        """Remove a report file, if it is there."""
        with self._lock:
            self._retire(key)
            self._objects.delete_object(self.reports, key)

    def close(self) -> None:
        """Forget all objects."""
        for name in (self.reports, self.batches):
            self._retired += self._objects.get_bucket(name).keys.values()
            s3_backends.bucket_accounts.pop(name, None)
        s3_backends.pop(self._aws_account, None)
        for stored in self._retired:
            stored.dispose()

    def presign(self, endpoint: str, key: str, signed_at: datetime, lifetime: int) -> str:
        """Make the URL from which a report file can be fetched for `lifetime` seconds."""
        return signature.presign(
            self._presigner, f"{endpoint}/{self.reports}/{key}", signed_at, lifetime
        )

    def answer(self, request: Request) -> Response:
        """Answer a request as S3 does."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        environ = dict(request.environ)
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self._aws_account
        if "HTTP_IF_NONE_MATCH" in environ:
            # RFC 9110, 13.1.3: the date counts only where there is no entity tag to compare.
            environ.pop("HTTP_IF_MODIFIED_SINCE", None)
        response = Response.from_app(self._app, environ)
        response.headers["Server"] = "AmazonS3"
        return response

    def _refusal(self, request: Request) -> Response | None:
        by_query = "X-Amz-Algorithm" in request.args or "X-Amz-Signature" in request.args
        by_header = "Authorization" in request.headers
        if by_query and by_header:
            return s3_error(400, "InvalidArgument", _TWO_MECHANISMS, ArgumentName="Authorization")
        if by_query:
            return self._query_refusal(request)
        if by_header:
            return self._header_refusal(request)
        return s3_error(403, "AccessDenied", "Access Denied")

    def _header_refusal(self, request: Request) -> Response | None:
        claim = signature.read_header(request)
        if claim is None:
            return s3_error(400, "InvalidArgument", "Unsupported Authorization Type")
        return self._signature_refusal(claim, request)

    def _query_refusal(self, request: Request) -> Response | None:
        claim = signature.read_query(request)
        if claim is None:
            return s3_error(400, "AuthorizationQueryParametersError", _MALFORMED_QUERY)
        expires_at, now = claim.expires_at, datetime.now(timezone.utc)
        if expires_at is not None and now > expires_at:
            return s3_error(
                403,
                "AccessDenied",
                "Request has expired",
                Expires=f"{expires_at:%Y-%m-%dT%H:%M:%SZ}",
                ServerTime=f"{now:%Y-%m-%dT%H:%M:%SZ}",
            )
        return self._signature_refusal(claim, request)

    def _signature_refusal(self, claim: Claim, request: Request) -> Response | None:
        pair = self._secrets.get(claim.access_key)
        if pair is None:
            return s3_error(
                403,
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist in our records.",
                AWSAccessKeyId=claim.access_key,
            )
        if signature.is_genuine(claim, pair, request):
            return None
        return s3_error(403, "SignatureDoesNotMatch", _WRONG_SIGNATURE)

    def _retire(self, key: str) -> None:
        # moto keeps every object in a temporary file and warns of those left open; but a download
        # may be under way, so they are closed in the end.
        stored = self._objects.get_object(self.reports, key)
        if stored:
            self._retired.append(stored)


def s3_error(status: int, code: str, message: str, **details: str) -> Response:
    """Make one of S3's error answers."""
    fields = {"Code": code, "Message": message, **details, "RequestId": secrets.token_hex(8)}
    xml = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    return Response(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{xml}</Error>',
        status=status,
        content_type="application/xml",
        headers={"Server": "AmazonS3"},
    )


def _new_key_pair() -> KeyPair:
    return KeyPair(f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30))


_TWO_MECHANISMS = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
    "Signature query string parameter or the Authorization header should be specified"
)
_MALFORMED_QUERY = "Query-string authentication is malformed"
_WRONG_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your key and signing method."
)
