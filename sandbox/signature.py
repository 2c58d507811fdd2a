"""AWS Signature Version 4, as botocore computes it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from botocore.auth import SIGV4_TIMESTAMP, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_ALGORITHM = "AWS4-HMAC-SHA256"
_REGION = "us-east-1"


@dataclass(frozen=True)
class KeyPair:
    """An AWS access key and its secret."""

    key: str
    secret: str


@dataclass(frozen=True)
class Claim:
    """What a signed request says about its signature; nothing of it is verified yet."""

    access_key: str
    region: str
    timestamp: str
    signed_headers: tuple[str, ...]
    signature: str
    lifetime: timedelta | None

    @property
    def expires_at(self) -> datetime | None:
        """When a presigned URL expires; `None` for a signature in a header."""
        if self.lifetime is None:
            return None
        signed_at = datetime.strptime(f"{self.timestamp}+0000", f"{SIGV4_TIMESTAMP}%z")
        return signed_at + self.lifetime


class _Signer(S3SigV4QueryAuth):  # type: ignore[misc]
    """Signs exactly the headers of the request, at a time of the caller's choice."""

    def headers_to_sign(self, request: AWSRequest) -> object:
        return request.headers


def presign(pair: KeyPair, url: str, signed_at: datetime, lifetime: int) -> str:
    """Make a URL that may be fetched with GET, without headers, for `lifetime` seconds."""
    timestamp = signed_at.astimezone(timezone.utc).strftime(SIGV4_TIMESTAMP)
    parameters = {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{pair.key}/{timestamp[:8]}/{_REGION}/s3/aws4_request",
        "X-Amz-Date": timestamp,
        "X-Amz-Expires": str(lifetime),
        "X-Amz-SignedHeaders": "host",
    }
    url = f"{url}?{urlencode(parameters, quote_via=quote, safe='')}"
    unsigned = AWSRequest("GET", url, {"host": urlsplit(url).netloc})
    signature = _signature(pair, _REGION, timestamp, unsigned)
    return f"{url}&X-Amz-Signature={signature}"


def read_query(request: Request) -> Claim | None:
    """Read the claim of a presigned URL; `None` if its parameters make no sense."""
    try:
        access_key, _, region, service, terminator = request.args["X-Amz-Credential"].split("/")
        claim = Claim(
            access_key=access_key,
            region=region,
            timestamp=request.args["X-Amz-Date"],
            signed_headers=tuple(request.args["X-Amz-SignedHeaders"].split(";")),
            signature=request.args["X-Amz-Signature"],
            lifetime=timedelta(seconds=int(request.args["X-Amz-Expires"])),
        )
        valid = claim.expires_at and (service, terminator) == ("s3", "aws4_request")
    except (KeyError, ValueError):
        return None
    return claim if valid and request.args["X-Amz-Algorithm"] == _ALGORITHM else None


def read_header(request: Request) -> Claim | None:
    """Read the claim of an `Authorization` header; `None` if it is not of AWS's making."""
    algorithm, _, rest = request.headers.get("Authorization", "").partition(" ")
    if algorithm != _ALGORITHM:
        return None
    try:
        fields = dict(field.strip().split("=", 1) for field in rest.split(","))
        access_key, _, region, _, _ = fields["Credential"].split("/")
        return Claim(
            access_key=access_key,
            region=region,
            timestamp=request.headers["X-Amz-Date"],
            signed_headers=tuple(fields["SignedHeaders"].split(";")),
            signature=fields["Signature"],
            lifetime=None,
        )
    except (KeyError, ValueError):
        return None


def is_genuine(claim: Claim, pair: KeyPair, request: Request) -> bool:
    """Tell whether `request`, as it arrived, was signed with `pair`'s secret."""
    headers = {name: request.headers.get(name, "") for name in claim.signed_headers}
    raw_path, _, raw_query = request.environ["RAW_URI"].partition("?")
    parameters = [p for p in raw_query.split("&") if p and not p.startswith("X-Amz-Signature=")]
    url = f"{request.host_url.rstrip('/')}{raw_path}?{'&'.join(parameters)}"
    signed = AWSRequest(request.method, url, headers)
    expected = _signature(pair, claim.region, claim.timestamp, signed)
    return hmac.compare_digest(expected, claim.signature)


def _signature(pair: KeyPair, region: str, timestamp: str, request: AWSRequest) -> str:
    signer = _Signer(Credentials(pair.key, pair.secret), "s3", region)
    request.context["timestamp"] = timestamp
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signature: str = signer.signature(text, request)
    return signature
