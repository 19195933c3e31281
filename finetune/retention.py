"""Folders of jobs that ended long ago -> what is worth keeping of them: results, reports, adapters."""

from __future__ import annotations

import json
import logging
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, select

from finetune.state import TERMINAL
from index.schema import jobs

logger = logging.getLogger(__name__)

KEPT = frozenset(
    {
        "spec.json",
        "spec.yaml",
        "result.json",
        "error.json",
        "report.html",
        "report.png",
        "answers.csv",
        "candidates.csv",
        "loss_curve.png",
        "adapter",
        "tuned.json",
        "merged",
        "items.jsonl",
        "verdicts.jsonl",
    }
)
"""items.jsonl holds the answers row by row, which `shortlist compare` reads; verdicts.jsonl what a judge said."""
_CLEANED = ".cleaned"
_EVERY_S = 3600.0


def clean(folder: Path) -> int:
    """Delete what only helped to run the job; return the bytes that became free. What its result names stays."""
    freed, kept = 0, KEPT | {_CLEANED} | _named_in_result(folder)
    for path in folder.iterdir():
        if path.name in kept:
            continue
        freed += _size(path)
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    (folder / _CLEANED).touch()
    return freed


class Cleaner:
    """Cleans the folders of a home by the policy, once an hour."""

    def __init__(self, engine: Engine, home: Path, *, keep_days: float | None) -> None:
        self._engine = engine
        self._home = home
        self._keep_days = keep_days
        self._next_s = 0.0

    def clean_sometimes(self) -> None:
        """Clean when it is time to; nothing without a policy."""
        if self._keep_days is None or time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + _EVERY_S
        for folder in self.due(datetime.now(UTC)):
            freed = clean(folder)
            logger.info("job folder cleaned", extra={"job_id": folder.name, "freed_bytes": freed})

    def due(self, now: datetime) -> list[Path]:
        """Folders of jobs that ended before the time that files are kept for, and were not cleaned yet."""
        before = (now - timedelta(days=self._keep_days or 0)).isoformat(timespec="milliseconds")
        query = select(jobs.c.id).where(jobs.c.state.in_(TERMINAL), jobs.c.ended_at_utc < before)
        with self._engine.connect() as connection:
            folders = [self._home / "jobs" / str(job_id) for job_id in connection.execute(query).scalars()]
        return [folder for folder in folders if folder.is_dir() and not (folder / _CLEANED).exists()]


def _named_in_result(folder: Path) -> set[str]:
    """Files and folders that result.json refers to, as `{"chart": "/home/jobs/7/report.png"}`."""
    try:
        found = [json.loads((folder / "result.json").read_text(encoding="utf-8"))]
    except (OSError, ValueError):
        return set()
    names: set[str] = set()
    while found:
        value = found.pop()
        if isinstance(value, dict | list):
            found += value.values() if isinstance(value, dict) else value
        elif isinstance(value, str) and Path(value).is_relative_to(folder):
            names.update(Path(value).relative_to(folder).parts[:1])
    return names


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files if file.is_file())
