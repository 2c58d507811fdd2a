"""`--test` reports for each stream whether access is proven, and ends in time."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import wait
from datetime import date
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest

from tap_amazon_appstore import access
from tap_amazon_appstore.access import check_access
from tap_amazon_appstore.client import ReportingClient
from tests.unit.amazon import Amazon, Request, Response, response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from tap_amazon_appstore.streams import ReportStream


class Stream(NamedTuple):
    """What the check needs of a stream."""

    name: str
    report: str
    selected_by_default: bool


STREAMS = cast(
    "list[ReportStream]",
    [
        Stream("sales", "sales", selected_by_default=True),
        Stream("subscriptions", "subscription", selected_by_default=True),
        Stream("earnings", "earnings", selected_by_default=False),
    ],
)
NO_REPORT = response(400, "Report not found")
DENIED = response(403, '{"Message": "Request is not authorized."}')


def check(
    amazon: Amazon,
    caplog: pytest.LogCaptureFixture,
    seconds: float = 10,
    **options: Any,  # noqa: ANN401
) -> tuple[bool, dict[str, str]]:
    """Check access in January 2024; return the result, and level and text by stream."""
    caplog.set_level("INFO")
    client = amazon.client(attempts=2, outage=0, rate_limit=0, **options)
    log = logging.getLogger("test")
    is_ok = check_access(client, STREAMS, date(2024, 1, 1), log, seconds)
    lines = [(r.levelname, r.getMessage()) for r in caplog.records if r.name == "test"]
    return is_ok, {text.split(":")[0]: f"{level} {text}" for level, text in lines}


def answer_by_report(**answers: Response) -> Callable[[Request], Response]:
    return lambda request: answers[request.target.split("/")[5]]


def test_a_url_confirms_access(amazon: Amazon, caplog: pytest.LogCaptureFixture) -> None:
    is_ok, lines = check(amazon, caplog)

    assert is_ok
    assert lines == {
        "sales": "INFO sales: access confirmed",
        "subscriptions": "INFO subscriptions: access confirmed",
        "earnings (optional)": "INFO earnings (optional): access confirmed",
    }
    assert (amazon.count("lwa"), amazon.count("api"), amazon.count("bucket")) == (1, 3, 0)


def test_access_is_not_proven_until_three_months_and_their_years_were_asked(
    amazon: Amazon, caplog: pytest.LogCaptureFixture
) -> None:
    amazon.always("api", NO_REPORT)

    is_ok, lines = check(amazon, caplog)

    assert is_ok
    assert lines["sales"] == "WARNING sales: no report found yet, so access is not proven"
    asked = [request.target.split("report/")[1] for request in amazon.requests[1:]]
    assert sorted(asked) == sorted(
        [f"{s.report}/{month}" for s in STREAMS for month in ("2024/01", "2023/12", "2023/11")]
        + ["earnings/2024", "earnings/2023"]
    )


@pytest.mark.parametrize("denied", ["subscription", "earnings"])
def test_denied_access_fails_for_streams_that_are_selected_by_default(
    amazon: Amazon, caplog: pytest.LogCaptureFixture, denied: str
) -> None:
    answers = dict.fromkeys(("sales", "subscription", "earnings"), response(200, amazon.url))
    amazon.always("api", answer_by_report(**{**answers, denied: DENIED}))

    is_ok, lines = check(amazon, caplog)

    assert is_ok == (denied == "earnings")
    line = lines["earnings (optional)" if is_ok else "subscriptions"]
    assert line.startswith("WARNING earnings (optional)" if is_ok else "ERROR subscriptions")
    assert ": access denied (HTTP 403). Check that the security profile is" in line
    assert "sales: access confirmed" in lines["sales"]


def test_each_stream_gets_its_own_outcome(amazon: Amazon, caplog: pytest.LogCaptureFixture) -> None:
    answers = {"sales": response(418), "subscription": response(429), "earnings": response(200)}
    amazon.always("api", answer_by_report(**answers))

    is_ok, lines = check(amazon, caplog)

    assert not is_ok
    assert lines["sales"] == "ERROR sales: HTTP 418 from the Reporting API. Check api_url."
    assert lines["subscriptions"] == "WARNING subscriptions: rate-limited; try again later"
    assert lines["earnings (optional)"].endswith("no report found yet, so access is not proven")
    assert amazon.clock.waits == []


def test_a_failed_sign_in_is_the_only_outcome(
    amazon: Amazon, caplog: pytest.LogCaptureFixture
) -> None:
    amazon.always("lwa", response(401, '{"error": "invalid_client"}'))

    is_ok, lines = check(amazon, caplog)

    assert not is_ok
    assert [line[:41] for line in lines.values()] == ["ERROR Login with Amazon: sign-in failed ("]
    assert amazon.count("api") == 0


def test_an_unexpected_error_of_signing_in_is_not_logged_with_its_text(
    amazon: Amazon, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise KeyError("secret")  # noqa: EM101

    monkeypatch.setattr(ReportingClient, "sign_in", fail)

    with pytest.raises(KeyError):
        check(amazon, caplog)

    assert "secret" not in caplog.text


def test_the_checks_have_the_time_that_signing_in_has_left(
    amazon: Amazon, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def wait_for(futures: Iterable[Future[Any]], timeout: float) -> None:
        waits.append(timeout)
        wait(futures)

    clock = iter([100.0, 104.0])
    monkeypatch.setattr(access, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(access, "wait", wait_for)

    is_ok, _ = check(amazon, caplog, seconds=7)

    assert is_ok
    assert waits == [7, 3]


@pytest.mark.parametrize("silent", ["lwa", "api"])
def test_it_ends_in_time_though_a_server_is_silent(
    amazon: Amazon, caplog: pytest.LogCaptureFixture, silent: str
) -> None:
    go_on = threading.Event()

    def hang(_: Request) -> Response:
        go_on.wait(10)
        return NO_REPORT

    amazon.always(silent, hang)
    started = time.monotonic()

    is_ok, lines = check(amazon, caplog, seconds=0.3)
    go_on.set()

    assert time.monotonic() - started < 2
    assert is_ok == (silent == "api")
    if is_ok:
        assert lines["sales"] == "WARNING sales: not checked: out of time"
        assert len(lines) == len(STREAMS)
    else:
        (line,) = lines.values()
        assert line.startswith("ERROR Login with Amazon did not respond within")
