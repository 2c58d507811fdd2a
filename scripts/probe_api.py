"""Ask the Reporting API what its documentation leaves open, and print answers for an issue.

Needs the tap installed, and TAP_AMAZON_APPSTORE_CLIENT_ID and TAP_AMAZON_APPSTORE_CLIENT_SECRET in
the environment or in `.env`. Takes less than a minute, and reads the first 64 KB of each file. What
it prints contains no client id, no token, no URL and no line item.
"""

from __future__ import annotations

import csv
import re
import sys
import time
import zlib
from datetime import date
from typing import TYPE_CHECKING

from requests import codes
from singer_sdk.exceptions import SingerSDKError

from tap_amazon_appstore.auth import LoginWithAmazon
from tap_amazon_appstore.http import Session, is_secure, redact
from tap_amazon_appstore.months import add_months
from tap_amazon_appstore.patience import Patience
from tap_amazon_appstore.tap import TapAmazonAppstore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import requests

# At most 3 requests a second.
_PAUSE = 0.4

_HEAD = 64 * 1024

_MAGIC = {
    b"PK\x03\x04": "ZIP",
    b"PK\x05\x06": "empty ZIP",
    b"\x1f\x8b": "gzip",
    b"<": "HTML or XML",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}

# Bytes of a ZIP member's header before its name, and where the lengths of name and extra field are.
_MEMBER_HEADER = 30
_NAME_LENGTH = slice(26, 28)
_EXTRA_LENGTH = slice(28, 30)


def paths(today: date) -> list[str]:
    """Return the reports to ask for."""
    month = add_months(today.replace(day=1), -1)
    earlier = add_months(month, -2)
    future = add_months(month, 13)
    return [
        f"sales/{month:%Y/%m}",
        f"subscription/{month:%Y/%m}",
        f"subscriptions_overview/{month:%Y/%m}",
        f"earnings/{earlier:%Y/%m}",
        f"earnings/{earlier:%Y}",
        f"earnings/{earlier.year - 1}",
        "sales/2018/01",
        f"sales/{future:%Y/%m}",
    ]


def probe(config: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each report asked for, and two more if there is a file."""
    patience = Patience(attempts=2, outage=0, rate_limit=10)
    session = Session("tap-amazon-appstore probe", patience)
    login = LoginWithAmazon(
        client_id=config["client_id"],
        client_secret=config["client_secret"],
        auth_url=config["auth_url"],
        user_agent="tap-amazon-appstore probe",
        patience=patience,
    )
    login.update_access_token()
    base = config["api_url"].rstrip("/")
    for path in paths(date.today()):  # noqa: DTZ011 - a month more or less does not matter
        time.sleep(_PAUSE)
        try:
            url = f"{base}/api/appstore/download/report/{path}"
            response, content = session.ask("GET", url, auth=login)
            body = content.decode("utf-8", "replace").strip().strip("\"'")
            is_url = response.status_code == codes.ok and is_secure(body)
            found = "a URL" if is_url else f'"{redact(body)}"' if body else "no body"
            yield f"{path}: {_describe(response)}, {found}"
            if is_url:
                yield from _probe_file(session, body)
        except SingerSDKError as error:
            yield f"{path}: {error}"


def _probe_file(session: Session, url: str) -> Iterator[str]:
    head = bytearray()
    with session.send("GET", url) as response:
        for chunk in session.read(response):
            head += chunk
            if len(head) >= _HEAD:
                break
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "text")
    headers = ", ".join(
        f"{name} {'yes' if name in response.headers else 'no'}"
        for name in ("Content-Length", "ETag", "Last-Modified")
    )
    yield f"  file: {_describe(response)}, {kind if head else 'empty'}, {headers}"
    if response.status_code == codes.ok and kind in {"ZIP", "gzip", "text"}:
        yield f"  {_describe_text(*_open(bytes(head), kind))}"


def _describe(response: requests.Response) -> str:
    kind = re.sub(r"[^\w/+.;= -]", "", response.headers.get("Content-Type", "no content type"))
    return f"HTTP {response.status_code}, {kind[:60]}"


def _open(head: bytes, kind: str) -> tuple[str, bytes]:
    """Return the name of the first member and the beginning of its text."""
    if kind == "text":
        return "text", head
    if kind == "gzip":
        return "gzip", zlib.decompressobj(wbits=31).decompress(head, _HEAD)
    name_end = _MEMBER_HEADER + int.from_bytes(head[_NAME_LENGTH], "little")
    start = name_end + int.from_bytes(head[_EXTRA_LENGTH], "little")
    name = head[_MEMBER_HEADER:name_end].decode("utf-8", "replace")
    is_deflated = head[8] == 8  # noqa: PLR2004
    text = zlib.decompressobj(wbits=-15).decompress(head[start:], _HEAD) if is_deflated else b""
    return re.sub(r"\d{6,}", "#", redact(name)), text or head[start:]


def _describe_text(name: str, content: bytes) -> str:
    text = content.decode("utf-8", "replace")
    bom = "with BOM" if text.startswith("\ufeff") else "without BOM"
    line = text.removeprefix("\ufeff").partition("\n")[0].rstrip("\r")
    cells = next(csv.reader([line]), [])
    # A line item in place of a header is the publisher's own business.
    if any(re.search(r"\d{2}|@|://", cell) for cell in cells):
        return f"{name}, {bom}: the first line is no header ({len(cells)} cells)"
    return f"{name}, {bom}: {line[:2000]}"


def main() -> None:
    """Print the answers."""
    try:
        tap = TapAmazonAppstore(parse_env_config=True)
        print(f"tap-amazon-appstore {tap.plugin_version}")  # noqa: T201
        for line in probe(dict(tap.config)):
            print(line, flush=True)  # noqa: T201
    except SingerSDKError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
