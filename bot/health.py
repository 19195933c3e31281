"""GET /healthz, /readyz and /metrics: whether the process lives, whether it can answer, and its figures.

Alive is not ready: a bot whose store or whose Slack does not answer should get no traffic, and need not be killed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from sqlalchemy import Engine, text

if TYPE_CHECKING:
    from bot.metrics import Metrics

logger = logging.getLogger(__name__)

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Check = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    status: HTTPStatus
    body: bytes
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Health:
    """The pages for whoever runs the bot."""

    metrics: Metrics
    checks: Mapping[str, Check] = field(default_factory=dict)
    """What has to work for an answer, by name."""

    def page(self, path: str) -> Page | None:
        """The page at this path; None when there is none."""
        if path == "/healthz":
            return Page(HTTPStatus.OK, b'{"status": "ok"}')
        if path == "/readyz":
            return self._readiness()
        if path == "/metrics":
            return Page(HTTPStatus.OK, self.metrics.text(), METRICS_TYPE)
        return None

    def _readiness(self) -> Page:
        found = {name: "ok" if _works(name, check) else "no answer" for name, check in self.checks.items()}
        is_ready = all(state == "ok" for state in found.values())
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return Page(status, json.dumps({"status": "ok" if is_ready else "not ready", **found}).encode())


def store_answers(engine: Engine) -> Check:
    """Whether the store answers a question."""

    def check() -> bool:
        with engine.connect() as connection:
            return connection.execute(text("SELECT 1")).scalar() == 1

    return check


def _works(name: str, check: Check) -> bool:
    try:
        return check()
    except Exception:  # whatever the driver raises means no
        logger.warning("not ready", extra={"check": name}, exc_info=True)
        return False
