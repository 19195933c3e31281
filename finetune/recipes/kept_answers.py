"""Keep what candidates answered for later jobs, so that asking the same again costs nothing.

Under HOME/answers there is a folder for everything that determines an answer but the row: key.json says what that is,
answers.jsonl has a line for each row, measured.json the memory and load time of the run that made them. Lines are
appended in one piece, so two jobs may write at once; a torn line is skipped, and of two for one row the later counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from finetune.columns import Row
from finetune.recipes.job_dir import append_line, end_torn_line, read_json, read_lines, write_json

MOST_BYTES = 1024**3
"""The folders that were not used for the longest time go when all together are larger."""

_NEEDED = frozenset({"row", "prediction", "tokens", "busy_s"})
_ANSWERS, _MEASURED, _KEY = "answers.jsonl", "measured.json", "key.json"


class KeptAnswers:
    """The answers under one key. A line is a plain mapping, the row's key and whatever the caller keeps."""

    def __init__(self, home: Path, key: Mapping[str, Any]) -> None:
        self._key = key
        written = json.dumps(key, sort_keys=True, ensure_ascii=False)
        self._folder = folder_of(home) / hashlib.sha256(written.encode()).hexdigest()[:24]

    def read(self) -> dict[str, dict[str, Any]]:
        """What is kept, by the key of the row; reading counts as use."""
        if self._folder.is_dir():
            os.utime(self._folder)
        lines = read_lines(self._folder / _ANSWERS)
        return {line["row"]: line for line in lines if _is_whole(line)}

    def add(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Append lines, each with the key of its `row`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not (self._folder / _KEY).exists():
            write_json(self._folder / _KEY, self._key)
        end_torn_line(self._folder / _ANSWERS)
        for line in lines:
            append_line(self._folder / _ANSWERS, line)

    @property
    def measured(self) -> dict[str, Any]:
        """Memory, load time and the like of the last run that made answers; empty where nothing is kept."""
        try:
            return read_json(self._folder / _MEASURED)
        except (OSError, ValueError, RecursionError):
            return {}

    def keep_measured(self, measured: Mapping[str, Any]) -> None:
        """Replace what was measured."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_json(self._folder / _MEASURED, measured)


def _is_whole(line: Mapping[str, Any]) -> bool:
    """False for a line that something else than us has written or cut."""
    return isinstance(line.get("row"), str) and ("is_too_long" in line or line.keys() >= _NEEDED)


def row_key(row: Row) -> str:
    """A short name for what a row asks; what is right does not count, since answers are scored anew."""
    return hashlib.sha256(json.dumps([row.text, *row.choices]).encode()).hexdigest()[:24]


def folder_of(home: Path) -> Path:
    """Where all kept answers lie."""
    return home / "answers"


def drop_oldest(home: Path, *, most_bytes: int = MOST_BYTES) -> None:
    """Remove the folders that were not used for the longest time until the rest is small enough."""
    # Another job may drop the same ones.
    with contextlib.suppress(OSError):
        folders = sorted(folder_of(home).glob("*/"), key=lambda folder: folder.stat().st_mtime)
        sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in folders]
        left = sum(sizes)
        for folder, size in zip(folders, sizes, strict=True):
            if left <= most_bytes:
                return
            shutil.rmtree(folder, ignore_errors=True)
            left -= size
