"""Client secret, tokens and presigned URLs are in no output, and go to their services only."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import Fault
from tap_amazon_appstore.months import add_months
from tests.conftest import TAP, Tap, execute
from tests.data import MONTH, NEXT_MONTH, publish

if TYPE_CHECKING:
    from pathlib import Path

    from werkzeug import Response

    from sandbox import Sandbox
    from sandbox.request import Answer, Request

# Runs follow each other at once.
pytestmark = pytest.mark.unlimited

MONTHS = [add_months(date(2024, 1, 1), number) for number in range(4)]
JANUARY_TO_APRIL: dict[str, Any] = {"start_date": "2024-01-01", "end_date": "2024-04-01"}

LOG_EVERYTHING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"long": {"format": "%(asctime)s | %(levelname)s | %(name)s | %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "long"}},
    "root": {"level": "DEBUG", "handlers": ["stderr"]},
    "loggers": {
        name: {"level": "DEBUG", "handlers": ["stderr"]}
        for name in ("urllib3", "urllib3.connectionpool", "requests", "botocore", "botocore.auth")
    },
}


@pytest.fixture
def log_everything(tmp_path: Path) -> dict[str, str]:
    """Return the environment in which everything is logged."""
    path = tmp_path / "logging.yml"
    path.write_text(json.dumps(LOG_EVERYTHING), encoding="utf-8")
    return {"LOGLEVEL": "DEBUG", "SINGER_SDK_LOG_CONFIG": str(path)}


def test_the_token_goes_to_the_api_only(tap: Tap, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password password\n", encoding="utf-8")
    netrc.chmod(0o600)
    publish(tap.account, MONTH)
    proxy = "http://127.0.0.1:1"

    tap.read(env={"NETRC": str(netrc), "HTTP_PROXY": proxy, "ALL_PROXY": proxy})

    authorization = {
        request.service: request.headers.get("Authorization", "")[:12]
        for request in tap.account.requests
    }
    assert authorization == {"lwa": "", "api": "Bearer Atc|M", "bucket": ""}


def test_the_user_agent_names_the_tap(tap: Tap) -> None:
    publish(tap.account, MONTH)

    tap.read()
    names = {r.service: r.headers["User-Agent"] for r in tap.account.requests}
    tap.read(user_agent="Our pipeline, pipeline@example.com")
    others = {r.service: r.headers["User-Agent"] for r in tap.account.requests}

    assert set(others) == {"lwa", "api", "bucket"}
    assert set(others.values()) == {"Our pipeline, pipeline@example.com"}
    assert len(set(names.values())) == 1
    assert re.fullmatch(r"tap-amazon-appstore/\d.*", names["lwa"])


@pytest.mark.parametrize(("failure", "code"), [(None, 0), ("api-403", 1)])
def test_no_secret_is_logged_at_any_level(
    tap: Tap, log_everything: dict[str, str], failure: str | None, code: int
) -> None:
    def garble(_: Request, answer: Answer) -> Response:
        response = answer()
        response.headers["No header"] = "at all"
        return response

    publish(tap.account, *MONTHS)
    tap.account.inject_fault(Fault("bucket", garble))
    for month, passing in zip(MONTHS, ["api-drop", "bucket-403", "url-expired"], strict=False):
        tap.account.inject_fault(passing, 1, "sales", month)
    if failure:
        tap.account.inject_fault(failure, None, "sales", NEXT_MONTH)

    run = tap.run(env=log_everything, **JANUARY_TO_APRIL)

    assert run.code == code, run.stderr
    assert len(run.records()) >= 3 * 3
    output = run.stdout + run.stderr
    assert "| DEBUG |" in output
    assert tap.account.client_secret not in output
    assert not re.search(r"Atc\||Bearer|X-Amz-", output)
    assert "Traceback" not in output
    assert {message["type"] for message in run.messages} == {"SCHEMA", "RECORD", "STATE"}


@pytest.mark.usefixtures("sales_alone")
def test_no_aws_credential_is_logged_at_any_level(
    tap: Tap, sandbox: Sandbox, log_everything: dict[str, str]
) -> None:
    publish(tap.account, MONTH)
    keys = sandbox.s3_credentials
    env = {
        **log_everything,
        "AWS_ACCESS_KEY_ID": keys["key"],
        "AWS_SECRET_ACCESS_KEY": keys["secret"],
        "AWS_SESSION_TOKEN": "a-session-token",
        "AWS_ENDPOINT_URL": sandbox.s3_endpoint_url,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    root = f"s3://{sandbox.batch_bucket}/secrets"
    batch = {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": {"root": root}}

    run = tap.read(env=env, batch_config=batch)

    output = run.stdout + run.stderr
    assert "| DEBUG |" in output
    assert '"BATCH"' in output
    assert keys["secret"] not in output
    assert "a-session-token" not in output


@pytest.mark.parametrize("secret", [271828182845, {"is": "271828182845"}])
def test_no_secret_of_the_wrong_type_is_quoted(
    tap: Tap, log_everything: dict[str, str], secret: object
) -> None:
    run = tap.run(env=log_everything, client_secret=secret)

    assert run.code == 1
    assert "client_secret must be text" in run.stderr
    assert "271828182845" not in run.stdout + run.stderr


def test_no_configuration_that_is_no_json_is_quoted(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"client_secret": "271828182845", oops}', encoding="utf-8")

    run = execute(str(TAP), "--config", str(path), env={"LOGLEVEL": "DEBUG"})

    assert run.code == 1
    assert "271828182845" not in run.stdout + run.stderr
