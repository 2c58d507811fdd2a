"""Why a request got no response: the cause by name, and whether waiting can help."""

from __future__ import annotations

import re
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from singer_sdk.exceptions import FatalAPIError
from urllib3 import exceptions, util

from tap_amazon_appstore.errors import RAISE_LIMITS, is_out_of_resources
from tap_amazon_appstore.patience import TransientError

if TYPE_CHECKING:
    from collections.abc import Sequence

# What OpenSSL reports of a server that does not use TLS, or only versions that are refused.
_PERMANENT_TLS_ERRORS = frozenset(
    {"HTTP_REQUEST", "NO_PROTOCOLS_AVAILABLE", "UNSUPPORTED_PROTOCOL", "WRONG_VERSION_NUMBER"}
)

_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})")

_TRANSIENT_GATEWAY_STATUSES = frozenset({"502", "503", "504"})

_DNS_ADVICE = "Check the host names in api_url and auth_url, and this machine's DNS."
_PROXY_ADVICE = "Check HTTPS_PROXY (host, port, user and password) and NO_PROXY."


class FatalConnectionError(FatalAPIError):
    """No request of this run can succeed: sign-in refused, or certificate or proxy unusable."""


def diagnose(
    error: Exception, host: str, proxy: str | None, ca_bundle: str | None
) -> FatalAPIError | TransientError:
    """Return what to raise for a request without a response, with the host as all of its URL.

    Args:
        error: what `requests` or urllib3 raised.
        host: the request's.
        proxy: the URL of the proxy that it was sent through, if any.
        ca_bundle: the file of trusted certificates that the environment names, if any.
    """
    causes = _causes(error)
    if cause := (
        _diagnose_machine(causes)
        or (_diagnose_ca_bundle(ca_bundle) if ca_bundle else None)
        or (_diagnose_tunnel(causes, proxy) if proxy else None)
        or _diagnose_tls(causes, host)
        or _diagnose_name(causes, host)
    ):
        return cause
    if isinstance(error, ValueError):
        problem = f"request to {host} could not be sent ({type(error).__name__})"
        return FatalAPIError(f"{problem}. Check api_url and auth_url.")
    return TransientError(f"no response from {host} ({_describe(causes)})")


def _causes(error: BaseException) -> list[BaseException]:
    """Return an exception and all that led to it, the innermost last."""
    causes = [error]
    for cause in causes:  # those that are appended as well
        for earlier in (cause.__cause__, cause.__context__):
            if earlier is not None and earlier not in causes:
                causes.append(earlier)
    return causes


def _describe(causes: Sequence[BaseException]) -> str:
    """Return the innermost cause in a few words, without anything that a server sent."""
    for cause in reversed(causes):
        if reason := _tls_reason(cause):
            return f"TLS handshake failed: {reason}"
        if isinstance(cause, OSError) and cause.errno and cause.strerror:
            return cause.strerror
    return type(causes[0]).__name__


def _diagnose_machine(causes: Sequence[BaseException]) -> FatalAPIError | None:
    for cause in causes:
        if isinstance(cause, OSError) and is_out_of_resources(cause):
            return FatalAPIError(
                f"this machine has no resources left for a connection ({cause.strerror}). "
                f"{RAISE_LIMITS}"
            )
    return None


def _diagnose_ca_bundle(path: str) -> FatalConnectionError | None:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if Path(path).is_dir():
            return None
        context.load_verify_locations(path)
    except ssl.SSLError:
        problem = "contains no certificates"
    except OSError as error:
        problem = f"could not be read ({error.strerror})"
    else:
        return None
    return FatalConnectionError(
        f"the CA bundle {path} {problem}. Set REQUESTS_CA_BUNDLE to a PEM file of CA certificates, "
        "or unset it and CURL_CA_BUNDLE."
    )


def _diagnose_tunnel(
    causes: Sequence[BaseException], proxy: str
) -> FatalAPIError | TransientError | None:
    """Find out whether the proxy is the cause: it refused, is unreachable or has an invalid URL."""
    if match := _TUNNEL.search(" ".join(map(str, causes))):
        is_transient = match[1] in _TRANSIENT_GATEWAY_STATUSES
        return _proxy_error(proxy, f"HTTP {match[1]}", is_transient=is_transient)
    if any(isinstance(c, exceptions.ProxyError) for c in causes):
        is_fatal = any(
            isinstance(c, (ConnectionRefusedError, ssl.SSLCertVerificationError))
            or (isinstance(c, socket.gaierror) and c.errno != socket.EAI_AGAIN)
            for c in causes
        )
        return _proxy_error(proxy, _describe(causes), is_transient=not is_fatal)
    if isinstance(causes[0], requests.exceptions.InvalidSchema):
        problem = "SOCKS requires an optional dependency: pip install 'requests[socks]'"
        return _proxy_error(proxy, problem, is_transient=False)
    if isinstance(causes[0], ValueError):
        return _proxy_error(proxy, "invalid URL", is_transient=False)
    return None


def _proxy_error(proxy: str, problem: str, *, is_transient: bool) -> FatalAPIError | TransientError:
    """Return what to raise about a proxy. User and password in its URL are secret."""
    try:
        place = f"the proxy {util.parse_url(proxy).netloc or ''}".rstrip()
    except exceptions.LocationParseError:
        place = "the proxy"
    problem = f"no connection through {place} ({problem})"
    if is_transient:
        return TransientError(problem, advice=_PROXY_ADVICE)
    return FatalConnectionError(f"{problem}. {_PROXY_ADVICE}")


def _diagnose_tls(causes: Sequence[BaseException], host: str) -> FatalConnectionError | None:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return FatalConnectionError(
                f"the certificate of {host} is not trusted ({cause.verify_message}). If your "
                "company's CA issued it, set REQUESTS_CA_BUNDLE to a PEM file with that CA."
            )
        if (reason := _tls_reason(cause)) in _PERMANENT_TLS_ERRORS:
            return FatalConnectionError(
                f"TLS handshake with {host} failed ({reason}). Check HTTPS_PROXY, and that api_url "
                "and auth_url are addresses of HTTPS servers."
            )
    return None


def _tls_reason(cause: BaseException) -> str | None:
    # An error that Python made has no reason.
    return getattr(cause, "reason", None) if isinstance(cause, ssl.SSLError) else None


def _diagnose_name(
    causes: Sequence[BaseException], host: str
) -> FatalAPIError | TransientError | None:
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            problem = f"the host name {host} could not be resolved ({cause.strerror})"
            if cause.errno == socket.EAI_AGAIN:
                return TransientError(problem, advice=_DNS_ADVICE)
            return FatalAPIError(f"{problem}. {_DNS_ADVICE}")
    return None
