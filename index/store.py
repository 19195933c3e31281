"""Open the one store: a SQLAlchemy engine on SQLite (WAL) or PostgreSQL, at the newest schema."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic.command import upgrade
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, NoSuchModuleError, OperationalError

from index.bilingual import Bilingual
from index.disk import disk_trouble
from index.errors import BadSetting, Unavailable

logger = logging.getLogger(__name__)

_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x53484F52544C


def sqlite_url(home: Path) -> str:
    """The URL of the default store, a file under `home`."""
    return f"sqlite:///{home / 'shortlist.db'}"


def open_store(url: str) -> Engine:
    """Return an engine on the store at `url`, created or migrated to the newest schema if need be.

    Safe when several processes open a fresh store at once: one migrates, the others wait for it. StoreAway when it
    does not answer, NoStore when it never will.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    with _told():
        engine = bare_engine(url)
        with _file_lock(url):
            if _revision(engine) != head:
                _migrate(engine, config)
    return engine


class StoreAway(Unavailable):
    """The store does not answer, or is locked for longer than is waited for."""

    def __init__(self, error: DBAPIError) -> None:
        why = str(error.orig).strip().splitlines()[0][:200] or type(error.orig).__name__
        super().__init__(
            Bilingual(
                en=f"The store does not answer ({why}). Nothing was changed. Try again in a moment; "
                "`shortlist doctor` and SHORTLIST_DATABASE_URL say which store it is.",
                zh=f"数据库没有响应（{why}）。没有任何更改。请稍后重试；"
                "可用 `shortlist doctor` 和 SHORTLIST_DATABASE_URL 查看所用的数据库。",
            )
        )


class NoStore(BadSetting):
    """What SHORTLIST_DATABASE_URL names cannot be a store, or its file is damaged."""

    def __init__(self, why: Bilingual) -> None:
        super().__init__(
            Bilingual(
                en=f"There is no store that can be used: {why.en}. Check SHORTLIST_DATABASE_URL, or SHORTLIST_HOME "
                "where that is not set.",
                zh=f"没有可用的数据库：{why.zh}。请检查 SHORTLIST_DATABASE_URL；若未设置，请检查 SHORTLIST_HOME。",
            )
        )


@contextmanager
def _told() -> Iterator[None]:
    """Turn what SQLAlchemy and the drivers say into a sentence. A URL is never shown: it may hold a password."""
    try:
        yield
    except (ArgumentError, NoSuchModuleError):
        raise NoStore(
            Bilingual(
                "the URL is none, as postgresql+psycopg://user@host/name",
                "URL 有误，应类似 postgresql+psycopg://user@host/name",
            )
        ) from None
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise NoStore(Bilingual("it is SQLite or PostgreSQL", "仅支持 SQLite 和 PostgreSQL")) from None
        install = "pip install 'shortlist-bot[postgres]'"
        raise NoStore(
            Bilingual(f"psycopg is not installed here: `{install}`", f"此处未安装 psycopg：`{install}`")
        ) from None
    except OperationalError as error:
        raise disk_trouble(error) or StoreAway(error) from error
    except DatabaseError as error:
        raise NoStore(Bilingual(f"{error.orig}", f"{error.orig}")) from error


def utc_now() -> str:
    """The current time as the store keeps it: ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def bare_engine(url: str) -> Engine:
    """An engine on the store as it is, whatever schema it has."""
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, hide_parameters=True)
    database = make_url(url).database
    if database:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    # Parameters are messages of people: an error must not carry them into a log.
    engine = create_engine(
        url, connect_args={"timeout": 30, "check_same_thread": False}, hide_parameters=True
    )
    event.listen(engine, "connect", _tune_sqlite)
    return engine


def _tune_sqlite(connection: Any, _record: Any) -> None:
    """WAL lets readers go on while the worker writes; the busy timeout makes writers wait their turn."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _file_lock(url: str) -> AbstractContextManager[object]:
    """Turning a fresh file to WAL does not wait for the busy timeout, so the first openers take turns."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return nullcontext()
    return FileLock(f"{parsed.database}.lock")


def _lock(connection: Connection) -> None:
    """Begin a transaction beside which no other migration can run, and which is all or nothing.

    Python's sqlite3 opens a transaction by itself only before INSERT and the like, never before CREATE TABLE.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


def _migrate(engine: Engine, config: Config) -> None:
    """Upgrade to the newest schema; nothing happens when another process was faster."""
    with engine.begin() as connection:
        _lock(connection)
        config.attributes["connection"] = connection
        upgrade(config, "head")
    logger.info("store migrated", extra={"revision": _revision(engine)})


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
