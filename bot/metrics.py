"""What happens -> figures for Prometheus: turns as they are answered; jobs and decisions as the store has them.

The store is read when somebody asks for the figures, so that all replicas tell the same and a restart loses nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, func, select

from bot.access import NotAllowed
from index.errors import ShortlistError
from index.schema import audit, jobs

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 60)


class Metrics:
    """The figures of this process and its store. No label holds a person, a text or a name that somebody gave."""

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._registry.register(_Stored(engine))
        self._turns = Counter(
            "shortlist_turns", "Turns by how they ended.", ["outcome"], registry=self._registry
        )
        self._seconds = Histogram(
            "shortlist_turn_seconds", "Time to an answer.", registry=self._registry, buckets=_SECONDS
        )

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Count and time the turn that is answered in the block."""
        began_s, outcome = time.monotonic(), "answered"
        try:
            yield
        except NotAllowed:
            outcome = "refused"
            raise
        except ShortlistError:
            outcome = "bad input"
            raise
        except Exception:
            outcome = "failed"
            raise
        finally:
            self._turns.labels(outcome=outcome).inc()
            self._seconds.observe(time.monotonic() - began_s)

    def text(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self._registry)


class _Stored(Collector):
    """Figures that the store has."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> list[Metric]:
        """Nothing is read before it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Count jobs and decisions."""
        by_state = GaugeMetricFamily("shortlist_jobs", "Jobs by kind and state.", labels=["kind", "state"])
        minutes = CounterMetricFamily("shortlist_device_minutes", "Device time of all jobs.", labels=["kind"])
        decisions = CounterMetricFamily(
            "shortlist_decisions", "What was allowed and denied.", labels=["action", "decision"]
        )
        waiting = GaugeMetricFamily("shortlist_longest_wait_seconds", "How long the oldest queued job waits.")
        with self._engine.connect() as connection:
            count = select(jobs.c.kind, jobs.c.state, func.count()).group_by(jobs.c.kind, jobs.c.state)
            for kind, state, number in connection.execute(count):
                by_state.add_metric([kind, state], number)
            ran = select(jobs.c.kind, func.sum(jobs.c.ran_s * jobs.c.gpus)).group_by(jobs.c.kind)
            for kind, seconds in connection.execute(ran):
                minutes.add_metric([kind], (seconds or 0.0) / 60)
            decided = select(audit.c.action, audit.c.decision, func.count())
            for action, decision, number in connection.execute(
                decided.group_by(audit.c.action, audit.c.decision)
            ):
                decisions.add_metric([action, decision], number)
            oldest = select(func.min(jobs.c.created_at_utc)).where(jobs.c.state == "queued")
            waiting.add_metric([], _age_s(connection.execute(oldest).scalar()))
        yield from (by_state, minutes, decisions, waiting)


def _age_s(at_utc: str | None) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(at_utc)).total_seconds() if at_utc else 0.0
