"""Months, each as its first day."""

from __future__ import annotations

from datetime import date


def following_month(month: date) -> date:
    """Return the month after a month."""
    years, index = divmod(month.month, 12)
    return date(month.year + years, index + 1, 1)
