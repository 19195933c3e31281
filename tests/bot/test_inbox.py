"""What is received is answered once and in order, also by several bots of one store."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from bot.inbox import Inbox, Received
from bot.lines import Lines
from index.schema import inbox
from index.store import open_store, sqlite_url
from tests.postgres_server import postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Inbox]:
    if request.param == "sqlite":
        engine = open_store(sqlite_url(tmp_path))
        yield Inbox(engine)
        engine.dispose()
        return
    with postgres() as url:
        engine = open_store(url)
        yield Inbox(engine)
        engine.dispose()


def message(number: int, thread: str = "T:C:1") -> Received:
    event = {"team": "T", "text": f"question {number}"}
    return Received(key=f"{thread}:{number}", thread=thread, person="U1", ts=f"{number:03}", event=event)


def test_one_of_many_deliveries_is_new(store: Inbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: store.put(message(1)), range(16)))

    assert found.count(True) == 1


def test_oldest_is_taken_first_and_the_next_only_when_it_is_answered(store: Inbox) -> None:
    for number in (2, 1):
        store.put(message(number))
    first = store.take("T:C:1")
    other_bot = store.take("T:C:1")
    store.done("T:C:1:1", exchange=7, answers=("9.0",))
    second = store.take("T:C:1")

    assert isinstance(first, Received)
    assert first.ts == "001"
    assert other_bot == "busy"
    assert isinstance(second, Received)
    assert second.ts == "002"
    assert store.take("T:C:2") is None


def test_two_bots_never_work_on_one_thread_at_a_time(store: Inbox) -> None:
    for number in range(6):
        store.put(message(number))
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: store.take("T:C:1"), range(6)))

    taken = [one for one in found if isinstance(one, Received)]
    assert [one.ts for one in taken] == ["000"]
    assert found.count("busy") == 5


def test_what_a_dead_bot_took_waits_again_and_what_it_was_posting_does_not(store: Inbox) -> None:
    for number in (1, 2):
        store.put(message(number, thread=f"T:C:{number}"))
        store.take(f"T:C:{number}")
    store.start_posting("T:C:2:2")
    alive = store.resume(is_alone=False)
    long_ago = (datetime.now(UTC) - timedelta(minutes=20)).isoformat(timespec="milliseconds")
    with store.engine.begin() as connection:
        connection.execute(update(inbox).values(taken_at_utc=long_ago))
    found = store.resume(is_alone=False)

    assert alive == []
    assert [one.key for one in found] == ["T:C:1:1"]
    posted = store.get("T:C:2:2")
    assert posted is not None
    assert posted.state == "done"


def test_dropped_question_cannot_be_posted(store: Inbox) -> None:
    store.put(message(1))
    store.take("T:C:1")

    assert store.drop("T:C:1:1")
    assert not store.start_posting("T:C:1:1")


def test_lines_keep_their_order_and_do_not_wait_for_each_other() -> None:
    lines, done = Lines(threads=4), []
    for number in range(200):
        line = f"line {number % 7}"
        lines.add(line, lambda number=number: done.append(number))  # type: ignore[misc]
    lines.settle()
    lines.close()

    assert sorted(done) == list(range(200))
    for rest in range(7):
        assert [number for number in done if number % 7 == rest] == list(range(rest, 200, 7))


def test_task_that_fails_does_not_end_its_line(caplog: pytest.LogCaptureFixture) -> None:
    lines, done = Lines(threads=1), []
    lines.add("a", lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    lines.add("a", lambda: done.append(1))
    lines.settle()
    lines.close()

    assert done == [1]
    assert "answer not finished" in caplog.text
