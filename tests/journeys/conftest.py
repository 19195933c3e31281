from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.slack_server import SlackServer


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    """A fresh workspace."""
    server = SlackServer()
    yield server
    server.close()
