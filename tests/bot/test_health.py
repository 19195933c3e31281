"""Health and figures over HTTP: alive, ready or not, and nothing of anybody in the figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from bot.access import NotAllowed
from bot.health import Health, store_answers
from bot.metrics import Metrics
from bot.slack import serve_http
from finetune.queue import Queue
from index.audit import Trail
from index.bilingual import Bilingual
from index.errors import BadInput
from index.store import open_store, sqlite_url
from tests.slack_bot import evaluation


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_store(sqlite_url(tmp_path))
    yield engine
    engine.dispose()


def get(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers={"Content-Length": "0"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def figures(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_bot_that_works_is_alive_and_ready(engine: Engine) -> None:
    health = Health(Metrics(engine), {"store": store_answers(engine)})
    with serve_http(None, 0, health) as server:
        assert get(server.port, "/healthz")[0] == 200
        status, body = get(server.port, "/readyz")

    assert (status, json.loads(body)) == (200, {"status": "ok", "store": "ok"})


def test_bot_whose_slack_or_store_does_not_answer_is_alive_but_not_ready(engine: Engine) -> None:
    def broken() -> bool:
        raise OSError("gone")

    health = Health(Metrics(engine), {"store": broken, "slack": lambda: False})
    with serve_http(None, 0, health) as server:
        assert get(server.port, "/healthz")[0] == 200
        status, body = get(server.port, "/readyz")

    assert status == 503
    assert json.loads(body) == {"status": "not ready", "store": "no answer", "slack": "no answer"}


def test_port_of_the_health_takes_nothing_from_slack_and_has_no_other_pages(engine: Engine) -> None:
    with serve_http(None, 0, Health(Metrics(engine))) as server:
        assert get(server.port, "/slack/events", "POST")[0] == 404
        assert get(server.port, "/")[0] == 404
        assert get(server.port, "/../etc/passwd")[0] == 404


def test_figures_count_turns_jobs_and_decisions(engine: Engine) -> None:
    metrics = Metrics(engine)
    with metrics.turn():
        pass
    for error in (NotAllowed(Bilingual("no", "不")), BadInput(Bilingual("no", "不")), RuntimeError("bug")):
        with pytest.raises(type(error)), metrics.turn():
            raise error
    Queue(engine).insert_or_get(evaluation(), dedupe_key="k", owner="U0ANA", thread=None)
    Trail(engine).record("launch", "job 1", "denied", person="U0ANA")

    found = figures(metrics.text().decode())

    assert {
        found["shortlist_turns_total", (name,)] for name in ("answered", "refused", "bad input", "failed")
    } == {1.0}
    assert found["shortlist_turn_seconds_count", ()] == 4
    assert found["shortlist_jobs", ("evaluation", "queued")] == 1
    assert found["shortlist_decisions_total", ("launch", "denied")] == 1
    assert found["shortlist_longest_wait_seconds", ()] >= 0


def test_figures_name_nobody(engine: Engine) -> None:
    Queue(engine).insert_or_get(evaluation(), dedupe_key="k", owner="U0ANA", thread="T0:C0TEAM:1")
    Trail(engine).record("launch", "job of U0ANA", "allowed", person="U0ANA")

    text = Metrics(engine).text().decode()

    assert "U0ANA" not in text
    assert "C0TEAM" not in text
