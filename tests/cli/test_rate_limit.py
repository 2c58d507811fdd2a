"""Requests stay below the rate limit, and close to it when there is a backlog."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING

from sandbox import Sandbox
from tap_amazon_appstore.months import add_months
from tests.conftest import Run, Tap
from tests.data import publish

if TYPE_CHECKING:
    from pathlib import Path

JANUARY = date(2024, 1, 1)


def test_pace_and_tokens(tmp_path: Path) -> None:
    months = [add_months(JANUARY, number) for number in range(9)]
    with Sandbox(
        token_lifetime=4, api_latency=0.2, download_latency=0.3, requests_per_second=100
    ) as sandbox:
        account = sandbox.add_account()
        publish(account, *months, rows=20)
        tap = Tap(account, tmp_path)

        run = tap.read(start_date=str(months[0]), end_date=str(months[-1]))

    assert len(run.records()) == 9 * 20
    requests = [request for request in account.requests if request.service == "api"]
    times = sorted(request.time for request in requests)
    assert len(times) == 2 * 9
    # Measured where they arrive, a little later and less evenly than they were sent.
    assert min(fourth - first for first, fourth in zip(times, times[3:], strict=False)) > 0.8
    assert (len(times) - 1) / (times[-1] - times[0]) > 2.2
    # One token serves all threads and both streams, and is renewed before it expires.
    assert 403 not in {request.status for request in requests}
    signed_in = [request.time for request in account.requests if request.service == "lwa"]
    assert len(signed_in) >= 2
    assert all(later - earlier > 3 for earlier, later in itertools.pairwise(signed_in))


def test_a_fraction_of_a_request_a_second_is_a_longer_pause(tap: Tap) -> None:
    tap.read(requests_per_second=0.8)

    first, second = [r.time for r in tap.account.requests if r.service == "api"]
    assert second - first > 1.1


def test_runs_that_share_a_limit_wait_for_each_other(sandbox: Sandbox, tmp_path: Path) -> None:
    account = sandbox.add_account()
    months = [add_months(JANUARY, number) for number in range(12)]
    publish(account, *months)

    def read(shard: int) -> Run:
        directory = tmp_path / str(shard)
        directory.mkdir()
        tap = Tap(account, directory, streams=["sales"])
        return tap.run(start_date=str(months[4 * shard]), end_date=str(months[4 * shard + 3]))

    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(read, range(3)))

    assert [run.code for run in runs] == [0, 0, 0]
    assert [len(run.records()) for run in runs] == [12, 12, 12]
    assert 429 in {request.status for request in account.requests}
