"""What jobs hold on a person: told as JSON values; or taken out, with the figures that were measured kept.

A job's row stays, under a name that stands for nobody, because quotas and measurements are counted from it. What was
written, read and learned for it goes: instruction, name of the data, rows, log, report, answers, adapter.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, delete, select, update

from finetune import data
from finetune.state import TERMINAL
from index.schema import job_events, jobs, measurements

_REASON = {
    "en": "Its files were deleted: whoever started it asked to be forgotten.",
    "zh": "相关文件已删除：启动者要求删除其数据。",
}


@dataclass(frozen=True, slots=True)
class JobsOfPerson:
    """Jobs, and the data sets that nobody else's jobs use, of one person."""

    engine: Engine
    files: Path

    def held(self, person: str) -> dict[str, Any]:
        """All of it, with the rows of their data sets."""
        with self.engine.connect() as connection:
            rows = connection.execute(
                select(jobs).where(jobs.c.owner == person).order_by(jobs.c.id)
            ).mappings()
            found = [dict(row) for row in rows]
            shas = self._theirs_alone(connection, person)
        kept = [path for sha256 in sorted(shas) for path in self._dataset_files(sha256)]
        datasets = [
            {"sha256": sha256, "rows": [asdict(row) for row in data.load(sha256, home=self.files)]}
            for sha256 in sorted(shas)
            if any(path.name.startswith(sha256) for path in kept)
        ]
        return {"jobs": found, "datasets": datasets}

    def forget(self, person: str, pseudonym: str) -> int:
        """Take out what the person's finished jobs hold; how many there were."""
        with self.engine.begin() as connection:
            theirs = (jobs.c.owner == person) & jobs.c.state.in_(TERMINAL)
            found = connection.execute(select(jobs.c.id, jobs.c.spec).where(theirs)).all()
            alone = self._theirs_alone(connection, person) if found else set()
            for row in found:
                _empty(connection, row.id, row.spec, pseudonym, is_theirs=_sha256(row.spec) in alone)
        for row in found:
            shutil.rmtree(self.files / "jobs" / str(row.id), ignore_errors=True)
        for sha256 in alone:
            for path in self._dataset_files(sha256):
                path.unlink(missing_ok=True)
        if alone:  # answers are kept by a hash of their row, so those of these rows cannot be told apart
            shutil.rmtree(self.files / "answers", ignore_errors=True)
        return len(found)

    def _theirs_alone(self, connection: Connection, person: str) -> set[str]:
        """Data sets of the person's jobs that no job of anybody else uses, and that did not come with us."""
        rows: Sequence[Any] = connection.execute(select(jobs.c.owner, jobs.c.spec)).all()
        mine = {_sha256(row.spec) for row in rows if row.owner == person}
        others = {_sha256(row.spec) for row in rows if row.owner != person}
        samples = {_sha256(row.spec) for row in rows if _dataset(row.spec).get("name") in data.SAMPLES}
        return {sha256 for sha256 in mine - others - samples if sha256}

    def _dataset_files(self, sha256: str) -> list[Path]:
        return sorted((self.files / "datasets").glob(f"{sha256}*"))


def _empty(
    connection: Connection, job_id: int, spec: dict[str, Any], pseudonym: str, *, is_theirs: bool
) -> None:
    emptied = {**spec, "instruction": None}
    if is_theirs:
        emptied["dataset"] = {**_dataset(spec), "name": pseudonym, "labels": []}
        named = measurements.c.job_id == str(job_id)
        connection.execute(update(measurements).where(named).values(dataset_name=pseudonym))
    change = {
        "owner": pseudonym,
        "dedupe_key": f"{pseudonym}:{job_id}",
        "thread": None,
        "spec": emptied,
        "reason": _REASON,
        "request_id": None,
    }
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(change))
    is_told = (job_events.c.job_id == job_id) & (job_events.c.kind != "state")
    connection.execute(delete(job_events).where(is_told))
    learned = measurements.c.adapter == f"job-{job_id}"
    connection.execute(delete(measurements).where(learned))


def _dataset(spec: dict[str, Any]) -> dict[str, Any]:
    found = spec.get("dataset")
    return found if isinstance(found, dict) else {}


def _sha256(spec: dict[str, Any]) -> str:
    return str(_dataset(spec).get("sha256") or "")
