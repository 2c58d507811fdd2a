"""Fixtures of tests in this process."""

from __future__ import annotations

import pytest

from tests.unit.amazon import Amazon


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Amazon:
    """Amazon's services on sockets of this process."""
    amazon = Amazon()
    monkeypatch.setattr("urllib3.util.connection.create_connection", amazon.create_connection)
    return amazon
