"""Errors of report files: what a fresh download can cure, and what it cannot."""

from __future__ import annotations

from singer_sdk.exceptions import FatalSyncError, RetriableSyncError


class UnreadableReportError(FatalSyncError):
    """The file is complete but not a report that can be read: a fresh download cannot help."""

    def __init__(self, problem: str) -> None:
        """Describe the problem; the remedy is always the same."""
        super().__init__(
            f"{problem}. Download this report in the Developer Console to compare, and open an "
            "issue with this message."
        )


class WrongHeaderError(UnreadableReportError):
    """The header line is not this report's."""


class BrokenDownloadError(RetriableSyncError):
    """The file is not the report that Amazon stored: a fresh download can help."""

    advice = "Check for a proxy that changes downloads, and run again to resume."
