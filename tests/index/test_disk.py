"""What a full disk and a read-only folder say, from real ones."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from index.disk import DiskFull, NotWritable, disk_trouble

ROOT = Path(__file__).parents[2]


def on_a_disk_of(mib: int, home: Path, *steps: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run the steps one after the other with `home` on a disk of its own, which only they see."""
    home.mkdir(exist_ok=True)
    script = f"mount -t tmpfs -o size={mib}m tmpfs {home} || exit 99\n"
    script += "\n".join(" ".join(map(str, step)) for step in steps)
    environment = {**os.environ, "SHORTLIST_HOME": str(home), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    command = ["unshare", "-rm", "sh", "-c", script]
    try:
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("no `unshare` here, so no disk of one's own")
    if ended.returncode in {1, 99} and any(word in ended.stderr for word in ("unshare", "mount")):
        pytest.skip(f"no disk of one's own here: {ended.stderr.strip()}")
    return ended


def shortlist(*words: str) -> list[str]:
    return [sys.executable, "-m", "bot", *words]


def test_a_full_disk_is_known_by_what_the_system_says() -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        Path("/dev/full").write_text("more")
    trouble = disk_trouble(caught.value)
    assert isinstance(trouble, DiskFull)
    assert "SHORTLIST_HOME is full" in trouble.message.en
    assert "磁盘已满" in trouble.message.zh


def test_a_store_that_cannot_be_written_is_known(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "store.db").execute("CREATE TABLE a (b)")
    engine = create_engine(f"sqlite:///file:{tmp_path / 'store.db'}?mode=ro&uri=true")
    with pytest.raises(OperationalError) as caught, engine.begin() as connection:
        connection.execute(text("INSERT INTO a VALUES (1)"))
    engine.dispose()
    assert isinstance(disk_trouble(caught.value), NotWritable)


def test_other_errors_are_not_taken_for_the_disk() -> None:
    assert disk_trouble(ValueError("full")) is None
    assert disk_trouble(ConnectionRefusedError(errno.ECONNREFUSED, "refused")) is None
    assert disk_trouble(PermissionError(errno.EACCES, "a port below 1024")) is None


@pytest.mark.parametrize("language", ["C.UTF-8", "zh_CN.UTF-8"])
def test_a_full_home_is_said_in_one_sentence(tmp_path: Path, language: str) -> None:
    home = tmp_path / "home"
    ended = on_a_disk_of(
        1, home,
        ["dd", "if=/dev/zero", f"of={home}/filling", "bs=1k", "2>/dev/null"],
        [f"LC_ALL={language}", *shortlist("finetune", "--model", "smollm2", "--dataset", "tickets")],
    )  # fmt: skip
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ("磁盘已满" if language.startswith("zh") else "is full") in ended.stderr


def test_a_read_only_home_is_said_in_one_sentence(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ended = on_a_disk_of(
        1, home,
        ["mount", "-o", "remount,ro", home],
        shortlist("finetune", "--model", "smollm2", "--dataset", "tickets"),
    )  # fmt: skip
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "cannot be written: it is read-only" in ended.stderr
