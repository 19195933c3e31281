"""From the first schema to the last: every row that was there is there, with every value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.command import upgrade
from alembic.config import Config
from sqlalchemy import Boolean, Engine, Float, Integer, MetaData, Table, insert, select
from sqlalchemy.types import JSON

from index import store
from index.audit import Trail
from index.store import bare_engine, open_store, sqlite_url
from tests.postgres_server import postgres

ROWS = 3


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return sqlite_url(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_url")


def at_first_schema(url: str) -> Engine:
    engine = bare_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(store.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        upgrade(config, "0001")
    return engine


def tables_of(engine: Engine) -> list[Table]:
    """As the database has them, parents before children."""
    found = MetaData()
    found.reflect(engine)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def value_for(table: Table, column: Any, number: int) -> Any:
    if column.foreign_keys or column.name == "id":
        return number
    if isinstance(column.type, JSON):
        return {"name": f"{table.name} {number}", "zh": "中文"}
    if isinstance(column.type, Boolean):
        return True
    if isinstance(column.type, (Integer, Float)):
        return number
    return f"{column.name[:12]} {number}"[: getattr(column.type, "length", None) or 200]


def test_every_row_of_the_first_schema_is_kept(url: str) -> None:
    engine = at_first_schema(url)
    before: dict[str, list[dict[str, Any]]] = {}
    for table in tables_of(engine):
        rows = [{c.name: value_for(table, c, n) for c in table.columns} for n in range(1, ROWS + 1)]
        with engine.begin() as connection:
            connection.execute(insert(table), rows)
        before[table.name] = rows
    engine.dispose()

    upgraded = open_store(url)

    after = {table.name: table for table in tables_of(upgraded)}
    assert {"measurements", "jobs", "job_events", "turns", "deliveries", "job_cards"} == set(before)
    with upgraded.connect() as connection:
        for name, rows in before.items():
            found = [dict(row) for row in connection.execute(select(after[name])).mappings()]
            key = "id" if "id" in rows[0] else next(iter(rows[0]))
            kept = sorted(({k: row[k] for k in rows[0]} for row in found), key=lambda row: str(row[key]))
            assert kept == rows, name
    Trail(upgraded).record("launch", "job 1", "allowed", person="U0ANA")
    assert Trail(upgraded).verify().is_whole
    upgraded.dispose()
