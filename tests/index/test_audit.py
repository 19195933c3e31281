"""The audit trail: rows are added, never changed, and the first broken link is named."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from index.audit import FIRST, Trail
from index.caller import Caller, calling
from index.schema import audit
from index.store import open_store, sqlite_url
from tests.postgres_server import postgres

ANA = Caller(person="U0ANA", surface="mention", channel="C0TEAM", request_id="r1")


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_store(sqlite_url(tmp_path))


@pytest.fixture(params=["sqlite", "postgresql"])
def any_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Both kinds of store; the PostgreSQL one is shared by the tests, so they count what they add."""
    if request.param == "sqlite":
        opened = open_store(sqlite_url(tmp_path))
    else:
        opened = open_store(request.getfixturevalue("postgres_url"))
    yield opened
    opened.dispose()


def fill(engine: Engine, rows: int = 5) -> Trail:
    trail = Trail(engine)
    with calling(ANA):
        for number in range(rows):
            trail.record("launch", f"evaluation {number}", "allowed")
    return trail


def without_triggers(engine: Engine) -> None:
    """What only somebody with the database's own tools can do."""
    with engine.begin() as connection:
        for name in ("audit_no_update", "audit_no_delete", "audit_no_replace"):
            connection.execute(text(f"DROP TRIGGER {name}"))


def test_row_says_who_what_when_from_where_and_under_which_request(engine: Engine) -> None:
    (row,) = fill(engine, 1).newest()

    assert (row.person, row.surface, row.channel, row.request_id) == ("U0ANA", "mention", "C0TEAM", "r1")
    assert (row.action, row.subject, row.decision) == ("launch", "evaluation 0", "allowed")
    assert row.at_utc.startswith("20")
    assert row.previous_hash == FIRST


@pytest.mark.parametrize(
    "change",
    [
        update(audit).values(decision="denied"),
        delete(audit),
        delete(audit).where(audit.c.id == 1),
        text("UPDATE audit SET person = 'U0EVE'"),
    ],
)
def test_store_refuses_to_change_or_delete_rows(any_engine: Engine, change: object) -> None:
    trail = fill(any_engine)
    before = trail.newest()

    with pytest.raises(DBAPIError), any_engine.begin() as connection:
        connection.execute(change)  # type: ignore[call-overload]

    assert trail.newest() == before
    assert trail.verify().is_whole


def test_postgresql_refuses_to_empty_the_table(postgres_url: str) -> None:
    engine = open_store(postgres_url)
    fill(engine)

    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(text("TRUNCATE audit"))
    engine.dispose()


def test_sqlite_refuses_to_replace_a_row(engine: Engine) -> None:
    trail = fill(engine)
    with engine.connect() as connection:
        row = dict(connection.execute(select(audit).where(audit.c.id == 3)).mappings().one())

    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(insert(audit).prefix_with("OR REPLACE").values(row | {"person": "U0EVE"}))

    assert trail.verify().is_whole


@pytest.mark.parametrize("column", ["person", "action", "decision", "at_utc", "subject", "hash", "channel"])
def test_first_edited_row_is_named(engine: Engine, column: str) -> None:
    trail = fill(engine)
    without_triggers(engine)
    with engine.begin() as connection:
        connection.execute(update(audit).where(audit.c.id == 3).values({column: "changed"}))

    assert trail.verify().broken_at == 3


def test_row_after_a_deleted_one_is_named(engine: Engine) -> None:
    trail = fill(engine)
    without_triggers(engine)
    with engine.begin() as connection:
        connection.execute(delete(audit).where(audit.c.id == 2))

    assert trail.verify().broken_at == 3


def test_cut_end_is_found_by_the_hash_that_was_kept_elsewhere(engine: Engine) -> None:
    trail = fill(engine)
    head = trail.verify().last_hash
    assert trail.verify(head).is_whole
    without_triggers(engine)
    with engine.begin() as connection:
        connection.execute(delete(audit).where(audit.c.id == 5))

    assert trail.verify().is_whole, "a chain by itself cannot know that it was longer"
    assert not trail.verify(head).is_whole


def test_rows_of_many_writers_make_one_chain(any_engine: Engine) -> None:
    trail = Trail(any_engine)
    before = trail.verify().rows

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: trail.record("launch", f"job {n}", "denied", person="U0ANA"), range(40)))

    verdict = trail.verify()
    assert verdict.is_whole
    assert verdict.rows == before + 40


def test_trail_offers_no_way_to_change_a_row() -> None:
    public = {name for name in vars(Trail) if not name.startswith("_")}
    assert public == {"record", "newest", "verify"}
