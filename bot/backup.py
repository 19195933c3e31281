"""A home and its store -> one archive, while the bot runs; and back into an empty home.

SQLite files are copied by SQLite's own backup, PostgreSQL by pg_dump: each is one moment of it. Files are copied after the
store, so that whatever its rows name is in the archive. Each file's hash is in the archive too, and checked before
anything is put in place. What is made from other files (word and vector indexes, weights, logs) is left out.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.engine import make_url

from bot.settings import Settings
from index.bilingual import Bilingual
from index.errors import BadInput, Unavailable
from index.files import replacing
from index.store import bare_engine, open_store, sqlite_url, utc_now

FORMAT = 1
_MANIFEST, _DUMP, _STORE = "manifest.json", "store.pgdump", "store.db"
_LEFT_OUT_FOLDERS = frozenset({"models", "logs"})
_LEFT_OUT_SUFFIXES = (".lock", ".part", "-wal", "-shm", "-journal")
_MADE_FROM_OTHERS = ("words", "vectors")
_SCRATCH = ".backup-"
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Summary:
    """What an archive holds."""

    files: int
    bytes: int
    store: str
    """sqlite or postgresql."""


def back_up(settings: Settings, archive: Path) -> Summary:
    """Write everything into one new file, readable by its owner only."""
    if archive.exists():
        raise BadInput(
            Bilingual(
                f"{archive} is there already. Name a file that is not.", f"{archive} 已存在，请换一个文件名。"
            )
        )
    beside = _folder_for(archive)
    with (
        tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=beside) as scratch,
        replacing(archive) as unfinished,
    ):
        unfinished.touch(mode=0o600)
        return _write(settings, unfinished, Path(scratch))


def _write(settings: Settings, archive: Path, scratch: Path) -> Summary:
    hashes: dict[str, str] = {}
    n_bytes = 0
    with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
        for name, path in _contents(settings, scratch):
            hashes[name] = _sha256(path)
            n_bytes += path.stat().st_size
            tar.add(path, arcname=name, recursive=False)
        manifest = scratch / _MANIFEST
        kind = make_url(settings.store_url).get_backend_name()
        value = {"format": FORMAT, "at_utc": utc_now(), "store": kind, "sha256": hashes}
        manifest.write_text(json.dumps(value), encoding="utf-8")
        tar.add(manifest, arcname=_MANIFEST)
    return Summary(files=len(hashes), bytes=n_bytes, store=kind)


def _contents(settings: Settings, scratch: Path) -> Iterator[tuple[str, Path]]:
    """Name in the archive and file, the store first. A database's copy lies in `scratch`."""
    home, store = settings.folder, make_url(settings.store_url)
    if store.get_backend_name() != "sqlite":
        yield _DUMP, _dumped(settings.store_url, scratch / _DUMP)
    elif store.database and settings.store_url != sqlite_url(home):
        yield _STORE, _copied(Path(store.database), scratch / _STORE)
    places = [("home", home)]
    if settings.shared is not None and settings.shared.expanduser().resolve() != home:
        places.append(("shared", settings.shared.expanduser().resolve()))
    for place, folder in places:
        databases_first = sorted(_kept(folder), key=lambda path: (path.suffix != ".db", path))
        for path in databases_first:
            name = f"{place}/{path.relative_to(folder).as_posix()}"
            copy = _copied(path, scratch / "copy.db") if path.suffix == ".db" else path
            if copy.is_file():  # a job may tidy up while we copy
                yield name, copy


def _kept(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        is_made = parts[0] == "index" and len(parts) > 1 and parts[1].startswith(_MADE_FROM_OTHERS)
        is_out = parts[0] in _LEFT_OUT_FOLDERS or parts[0].startswith(_SCRATCH)
        is_out = is_out or is_made or path.name.endswith(_LEFT_OUT_SUFFIXES)
        if not is_out and path.is_file() and not path.is_symlink():
            yield path


def _copied(database: Path, copy: Path) -> Path:
    """One moment of a SQLite file, whoever writes to it meanwhile."""
    copy.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy


def _dumped(url: str, file: Path) -> Path:
    _run_postgres("pg_dump", url, "--format=custom", "--no-owner", f"--file={file}")
    return file


def restore(settings: Settings, archive: Path) -> Summary:
    """Put an archive into an empty home and store. Nothing is in place before all of it was checked."""
    home = settings.folder
    _require_empty(settings)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=home.parent) as scratch:
        folder = Path(scratch)
        kind, n_files, n_bytes = _unpacked(archive, folder)
        wanted = make_url(settings.store_url).get_backend_name()
        if kind != wanted:
            raise BadInput(
                Bilingual(
                    f"{archive} holds a {kind} store, and SHORTLIST_DATABASE_URL names a {wanted} one.",
                    f"{archive} 中是 {kind} 库，而 SHORTLIST_DATABASE_URL 指向 {wanted}。",
                )
            )
        if (folder / _DUMP).exists():
            flags = ("--no-owner", "--exit-on-error", "--single-transaction")
            _run_postgres("pg_restore", settings.store_url, *flags, str(folder / _DUMP))
        _put_in_place(settings, folder)
    open_store(settings.store_url).dispose()  # an older schema is brought up to this version
    return Summary(files=n_files, bytes=n_bytes, store=kind)


def _put_in_place(settings: Settings, folder: Path) -> None:
    for place, target in (("home", settings.folder), ("shared", settings.shared)):
        if target is not None and (folder / place).is_dir():
            shutil.copytree(folder / place, target.expanduser(), dirs_exist_ok=True)
    settings.folder.mkdir(parents=True, exist_ok=True)
    database = make_url(settings.store_url).database
    if (folder / _STORE).exists() and database:
        shutil.copyfile(folder / _STORE, database)


def _unpacked(archive: Path, folder: Path) -> tuple[str, int, int]:
    """Unpack into a folder of our own, and compare every file with its hash; the kind of store, files, bytes."""
    try:
        with tarfile.open(archive, "r:*") as tar:
            tar.extractall(folder, filter="data")
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        hashes, version, kind = manifest["sha256"], manifest["format"], str(manifest["store"])
    except (
        OSError,
        tarfile.TarError,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
        zlib.error,
    ) as error:
        raise _no_backup(archive, type(error).__name__) from None
    if version != FORMAT:
        raise _no_backup(archive, f"format {version}")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    wrong = (found - {_MANIFEST}) ^ set(hashes)
    wrong |= {name for name in hashes if name in found and _sha256(folder / name) != hashes[name]}
    if wrong:
        raise _no_backup(archive, sorted(wrong)[0])
    return kind, len(hashes), sum((folder / name).stat().st_size for name in hashes)


def _require_empty(settings: Settings) -> None:
    """Nothing is ever overwritten."""
    for folder in filter(None, (settings.folder, settings.shared)):
        if folder.expanduser().exists() and any(folder.expanduser().iterdir()):
            raise BadInput(
                Bilingual(
                    f"{folder} is not empty, and restoring overwrites nothing. Stop the bot, move the folder away, or set "
                    "SHORTLIST_HOME to a new one.",
                    f"{folder} 不是空目录，恢复不会覆盖任何内容。请停止机器人并移走该目录，或把 SHORTLIST_HOME 设为新目录。",
                )
            )
    url = make_url(settings.store_url)
    if url.get_backend_name() == "sqlite":
        is_used = bool(url.database) and Path(str(url.database)).exists()
    else:
        engine = bare_engine(settings.store_url)
        is_used = bool(inspect(engine).get_table_names())
        engine.dispose()
    if is_used:
        raise BadInput(
            Bilingual(
                "The store that SHORTLIST_DATABASE_URL names is not empty, and restoring overwrites nothing. Name an "
                "empty one.",
                "SHORTLIST_DATABASE_URL 指向的库不是空的，恢复不会覆盖任何内容。请指向一个空库。",
            )
        )


def _run_postgres(program: str, url: str, *arguments: str) -> None:
    """Run a tool of PostgreSQL's. The password goes by the environment: a command line can be read by others."""
    found = shutil.which(program)
    if found is None:
        raise Unavailable(
            Bilingual(
                f"{program} is not installed, and only it copies a PostgreSQL store as it stands. Install PostgreSQL's "
                "client programs, or use your database's own backup together with a copy of SHORTLIST_HOME.",
                f"没有安装 {program}，无法完整复制 PostgreSQL 库。请安装 PostgreSQL 客户端程序，"
                "或使用数据库自带的备份，并另外复制 SHORTLIST_HOME。",
            )
        )
    parsed = make_url(url)
    environment = {**os.environ, **({"PGPASSWORD": str(parsed.password)} if parsed.password else {})}
    target = parsed.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    done = subprocess.run(
        [found, f"--dbname={target}", *arguments], env=environment, capture_output=True, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["?"])[-1]
        raise Unavailable(
            Bilingual(
                f"{program} failed: {last}. Nothing was changed.",
                f"{program} 失败：{last}。没有改动任何内容。",
            )
        )


def _no_backup(archive: Path, why: str) -> BadInput:
    return BadInput(
        Bilingual(
            f"{archive} is no whole backup ({why}). Nothing was restored.",
            f"{archive} 不是完整的备份（{why}）。没有恢复任何内容。",
        )
    )


def _folder_for(archive: Path) -> Path:
    folder = archive.resolve().parent
    if not folder.is_dir():
        raise BadInput(
            Bilingual(f"There is no folder {folder}. Create it first.", f"没有目录 {folder}，请先创建。")
        )
    return folder


def _sha256(path: Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            whole.update(block)
    return whole.hexdigest()
