"""S3: report files behind presigned URLs, and moto's bucket for batch files.

A presigned URL must be requested byte for byte as it was signed, and must not have expired. What
is done to batch files is moto's work; it lets everybody in, so the access key is checked here.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta, timezone
from typing import NamedTuple
from urllib.parse import unquote
from xml.sax.saxutils import escape

from botocore.auth import SIGV4_TIMESTAMP, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import s3_backends
from werkzeug.wrappers import Request, Response

_REGION = "us-east-1"
_REPORTS = "appstore-adx-reporting"

ODD_PREFIX = "//a%2fb|c[d]%"
"""What may precede the path of a presigned URL: all that HTTP clients like to normalise."""


class _File(NamedTuple):
    content: bytes | None
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
        self._objects = s3_backends[self._aws_account]["aws"]
        self._objects.create_bucket(self.batches, _REGION)
        self._app = create_backend_app("s3")

    def put(self, key: str, content: bytes, last_modified: datetime) -> None:
        """Store a report file.

        Its `Last-Modified` is at least one second later than the one that the key had before:
        HTTP dates have whole seconds.
        """
        moment = last_modified.astimezone(timezone.utc).replace(microsecond=0)
        if key in self._files:
            moment = max(moment, self._files[key].last_modified + timedelta(seconds=1))
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        self._files[key] = _File(content, etag, moment)

    def get(self, key: str) -> bytes | None:
        """Return a report file, or `None` if there is none of that name."""
        return self._files[key].content if key in self._files else None

    def remove(self, key: str) -> None:
        """Remove a report file, if it is there."""
        if key in self._files:
            self._files[key] = self._files[key]._replace(content=None)

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
        return str(request.url)

    def answer_s3(self, request: Request) -> Response:
        """Answer a request as S3 does."""
        header = request.headers.get("Authorization")
        if "X-Amz-Signature" in request.args:
            error = s3_error(400, "InvalidArgument") if header else self._find_error(request)
            return error or self._answer_download(request)
        if header is None:
            return s3_error(403, "AccessDenied")
        algorithm, _, rest = header.partition(" Credential=")
        if algorithm != "AWS4-HMAC-SHA256":
            return s3_error(400, "InvalidArgument", "Unsupported Authorization Type")
        if rest.partition("/")[0] != self.batch_keys.access_key:
            return s3_error(403, "InvalidAccessKeyId")
        environ = {**request.environ, "HTTP_X_MOTO_ACCOUNT_ID": self._aws_account}
        return Response.from_app(self._app, environ)

    def _answer_download(self, request: Request) -> Response:
        key = strip_odd_prefix(request.path).removeprefix(f"/{_REPORTS}/")
        file = self._files.get(key)
        if file is None or file.content is None:
            return s3_error(404, "NoSuchKey")
        response = Response(file.content, content_type="application/zip", headers=_SERVER)
        response.set_etag(file.etag)
        response.last_modified = file.last_modified
        length = len(file.content)
        return response.make_conditional(request, accept_ranges=True, complete_length=length)

    def _find_error(self, request: Request) -> Response | None:
        try:
            access_key = request.args["X-Amz-Credential"].partition("/")[0]
            timestamp, signature = request.args["X-Amz-Date"], request.args["X-Amz-Signature"]
            lifetime = timedelta(seconds=int(request.args["X-Amz-Expires"]))
            signed_at = datetime.strptime(f"{timestamp}+0000", f"{SIGV4_TIMESTAMP}%z")
        except (KeyError, ValueError):
            return s3_error(400, "AuthorizationQueryParametersError")
        if access_key != self._presigner.access_key:
            return s3_error(403, "InvalidAccessKeyId")
        if datetime.now(timezone.utc) >= signed_at + lifetime:
            return s3_error(403, "AccessDenied", "Request has expired")
        raw_path, _, raw_query = request.environ["RAW_URI"].partition("?")
        unsigned = "&".join(p for p in raw_query.split("&") if not p.startswith("X-Amz-Signature="))
        url = f"{request.host_url.rstrip('/')}{raw_path}?{unsigned}"
        signed = AWSRequest(request.method, url)
        signed.context["timestamp"] = timestamp
        auth = S3SigV4QueryAuth(self._presigner, "s3", _REGION)
        text = auth.string_to_sign(signed, auth.canonical_request(signed))
        if hmac.compare_digest(auth.signature(text, signed), signature):
            return None
        return s3_error(403, "SignatureDoesNotMatch")


def strip_odd_prefix(path: str) -> str:
    """Remove `ODD_PREFIX` from a decoded path, of whose first slashes one may be left."""
    return "/" + path.lstrip("/").removeprefix(unquote(ODD_PREFIX).lstrip("/") + "/")


def s3_error(status: int, code: str, message: str = "") -> Response:
    """Make one of S3's error responses."""
    fields = {"Code": code, "Message": message or _MESSAGES[code]}
    xml = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{xml}</Error>'
    return Response(content, status, content_type="application/xml", headers=_SERVER)


def _make_credentials() -> Credentials:
    return Credentials(f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30))


_SERVER = {"Server": "AmazonS3"}
_MESSAGES = {
    "AccessDenied": "Access Denied",
    "AuthorizationQueryParametersError": "Query-string authentication is malformed",
    "InvalidAccessKeyId": "The AWS Access Key Id you provided does not exist in our records.",
    "InvalidArgument": "Only one auth mechanism allowed",
    "NoSuchBucket": "The specified bucket does not exist",
    "NoSuchKey": "The specified key does not exist.",
    "SignatureDoesNotMatch": "The request signature we calculated does not match the signature "
    "you provided. Check your key and signing method.",
    "SlowDown": "Please reduce your request rate.",
}
