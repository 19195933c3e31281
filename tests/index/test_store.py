"""The store: the migrations give the schema, and opening it is safe however often and from wherever."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, event, inspect, text

from index import schema, store
from index.errors import ShortlistError
from index.store import open_store, sqlite_url

REPOSITORY = Path(__file__).parents[2]


def tables_of(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_the_migrations_give_exactly_the_schema(tmp_path: Path) -> None:
    with open_store(sqlite_url(tmp_path)).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_the_migrations_write_the_same_sql_as_the_schema(tmp_path: Path) -> None:
    migrated = open_store(sqlite_url(tmp_path / "migrated"))
    created = create_engine(f"sqlite:///{tmp_path / 'created.db'}")
    schema.metadata.create_all(created)
    for table in schema.metadata.tables:
        assert inspect(migrated).get_unique_constraints(table) == inspect(created).get_unique_constraints(
            table
        )
        assert inspect(migrated).get_pk_constraint(table) == inspect(created).get_pk_constraint(table)
        assert inspect(migrated).get_foreign_keys(table) == inspect(created).get_foreign_keys(table)
        assert inspect(migrated).get_indexes(table) == inspect(created).get_indexes(table)


def test_numbers_of_deleted_jobs_are_not_given_out_again(tmp_path: Path) -> None:
    with open_store(sqlite_url(tmp_path)).connect() as connection:
        sql = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = 'jobs'")).scalar_one()
    assert "AUTOINCREMENT" in sql


def test_opening_again_keeps_what_is_there(tmp_path: Path) -> None:
    engine = open_store(sqlite_url(tmp_path))
    with engine.begin() as connection:
        connection.execute(schema.deliveries.insert().values(key="k", received_at_utc="t"))
    with open_store(sqlite_url(tmp_path)).connect() as connection:
        assert connection.execute(schema.deliveries.select()).all() == [("k", "t")]


def test_threads_that_open_a_fresh_store_at_once_all_succeed(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        engines = list(threads.map(open_store, [sqlite_url(tmp_path)] * 8))
    assert all(tables_of(engine) >= set(schema.metadata.tables) for engine in engines)


def test_processes_that_open_a_fresh_store_at_once_all_succeed(tmp_path: Path) -> None:
    code = "import sys; from index.store import open_store; open_store(sys.argv[1])"
    command = [sys.executable, "-c", code, sqlite_url(tmp_path)]
    running = [subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE) for _ in range(3)]
    assert [process.communicate()[1].decode() for process in running] == ["", "", ""]
    assert tables_of(open_store(sqlite_url(tmp_path))) >= set(schema.metadata.tables)


def test_a_migration_that_fails_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def engine_that_fails_late(url: str) -> Engine:
        engine = create_engine(url)

        def refuse_the_last_table(*arguments: object) -> None:
            if "CREATE TABLE job_cards" in str(arguments[2]):
                raise RuntimeError("power cut")

        event.listen(engine, "before_cursor_execute", refuse_the_last_table)
        return engine

    monkeypatch.setattr(store, "bare_engine", engine_that_fails_late)
    with pytest.raises(RuntimeError, match="power cut"):
        open_store(sqlite_url(tmp_path))
    assert tables_of(create_engine(sqlite_url(tmp_path))) == set()


def test_a_path_with_a_percent_sign_works(tmp_path: Path) -> None:
    assert tables_of(open_store(sqlite_url(tmp_path / "100% ours"))) >= set(schema.metadata.tables)


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    engine = open_store(sqlite_url(tmp_path))
    with engine.begin() as writer:
        writer.execute(schema.deliveries.insert().values(key="k", received_at_utc="t"))
        with engine.connect() as reader:
            assert reader.execute(schema.deliveries.select()).all() == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://me:hidden@127.0.0.1:9/none", "The store does not answer"),
        ("postgres//me:hidden@host/none", "the URL is none"),
        ("mysql://me:hidden@host/none", "it is SQLite or PostgreSQL"),
    ],
)
def test_a_store_that_cannot_be_opened_is_a_sentence_without_the_password(url: str, said: str) -> None:
    with pytest.raises(ShortlistError) as caught:
        open_store(url)

    assert said in caught.value.message.en
    assert "hidden" not in str(caught.value.message)


def test_a_file_that_is_no_store_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "shortlist.db").write_bytes(b"not a database at all" * 500)

    with pytest.raises(ShortlistError, match="file is not a database"):
        open_store(sqlite_url(tmp_path))
