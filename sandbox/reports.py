"""The reports, and their names in the paths of the API and of the bucket."""

from __future__ import annotations

import re
from datetime import date

REPORTS = ("sales", "subscription", "earnings")

Period = date | int
"""What a file covers: a month, as any of its days, or a year (the yearly form of `earnings`)."""

_ROUTE = re.compile(
    rf"/api/appstore/download/report/(?:(?P<report>{'|'.join(REPORTS)})/(?P<year>[0-9]{{4}})/"
    r"(?P<month>[0-9]{2})|(?P<yearly>earnings)/(?P<of>[0-9]{4}))"
)


def parse_route(path: str) -> tuple[str | None, Period | None]:
    """Parse the path of an API request into report and period; `None` is what it does not name."""
    route = _ROUTE.fullmatch(path)
    if route is None:
        return None, None
    if route["yearly"]:
        return route["yearly"], int(route["of"])
    try:
        return route["report"], date(int(route["year"]), int(route["month"]), 1)
    except ValueError:
        return route["report"], None


def object_key(number: str, report: str, period: Period) -> str:
    """Return the key of a file in the bucket; `number` identifies the account."""
    name = f"{period:%Y_%m}" if isinstance(period, date) else str(period)
    return f"{number}/{report}/{report}_{name}.zip"


def parse_key(path: str) -> tuple[str | None, str | None, Period | None]:
    """Parse a path that ends in a key into the account's number, report and period."""
    try:
        number, report, file_name = path.split("/")[-3:]
        year, *month = file_name.removeprefix(f"{report}_").removesuffix(".zip").split("_")
        return number, report, date(int(year), int(*month), 1) if month else int(year)
    except (TypeError, ValueError):
        return None, None, None
