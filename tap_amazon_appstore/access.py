"""`--test`: whether the account may read each stream, within seconds."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from singer_sdk.exceptions import FatalSyncError

from tap_amazon_appstore.months import add_months
from tap_amazon_appstore.patience import Patience, RateLimitError, subject

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from datetime import date

    from tap_amazon_appstore.client import ReportingClient
    from tap_amazon_appstore.streams import ReportStream

# Of the 10 seconds that `--test` may take, the rest is for starting Python on a busy machine.
SECONDS = 7.0

PATIENCE = Patience(attempts=2, outage=0, rate_limit=0, longest_retry_after=SECONDS)
"""Two attempts and no waiting for a rate limit."""

_MONTHS = 3


def check_access(
    client: ReportingClient,
    streams: Iterable[ReportStream],
    month: date,
    log: logging.Logger,
    seconds: float = SECONDS,
) -> bool:
    """Sign in, and log for each stream whether the account may read it.

    Args:
        client: with a `PATIENCE` that fits into `seconds`.
        streams: the streams to check.
        month: the current month, the first one that is asked for.
        log: receives a line for each stream, or the failed sign-in.
        seconds: when to stop. What is under way then goes on in its threads.

    Returns:
        Whether signing in succeeded, and no stream failed that is selected by default.
    """
    end = time.monotonic() + seconds
    pool = ThreadPoolExecutor(thread_name_prefix="check-access")
    try:
        sign_in = pool.submit(client.sign_in)
        wait([sign_in], seconds)
        if not sign_in.done():
            log.error("Login with Amazon did not respond within %.0f s. Check auth_url.", seconds)
            return False
        if error := sign_in.exception():
            if not isinstance(error, FatalSyncError):
                raise error
            log.error("%s", error)
            return False
        checks = {
            stream: pool.submit(_find_any_report, client, stream.report, periods(stream, month))
            for stream in streams
        }
        wait(checks.values(), end - time.monotonic())
        outcomes = [_report(stream, check, log) for stream, check in checks.items()]
        return all(outcomes)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def periods(stream: ReportStream, month: date) -> list[str]:
    """Return the periods in which a report proves access: the last three months, and their years.

    Years are asked for where a report may come by the year only.
    """
    months = [add_months(month, -ago) for ago in range(_MONTHS)]
    years = dict.fromkeys(f"{month:%Y}" for month in months) if stream.report == "earnings" else ()
    return [*(f"{month:%Y-%m}" for month in months), *years]


def _find_any_report(client: ReportingClient, report: str, periods: Iterable[str]) -> bool:
    subject.set(f"{report} --test")
    return any(client.find_report(report, period) for period in periods)


def _report(stream: ReportStream, check: Future[bool], log: logging.Logger) -> bool:
    """Log the outcome of a check, and return whether it is no failure."""
    optional = "" if stream.selected_by_default else " (optional)"
    level, is_ok = logging.WARNING, True
    try:
        if not check.done():
            outcome = "not checked: out of time"
        elif check.result():
            level, outcome = logging.INFO, "access confirmed"
        else:
            outcome = "no report found yet, so access is not proven"
    except RateLimitError:
        outcome = "rate-limited; try again later"
    except FatalSyncError as error:
        outcome, is_ok = str(error), not stream.selected_by_default
    log.log(level if is_ok else logging.ERROR, "%s%s: %s", stream.name, optional, outcome)
    return is_ok
