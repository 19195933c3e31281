"""Jobs and their events <-> rows of the store. Every change of a job's state passes through `Queue._move`.

The row is the truth: DBOS is told about a job by the worker, from its row, and may be told twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Engine, Row, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from finetune.spec import EvaluationSpec, Spec, TuningSpec
from finetune.state import TERMINAL, TRANSITIONS, EventKind, Job, JobEvent, JobState
from index.bilingual import Bilingual
from index.errors import UnknownJob
from index.schema import job_events, jobs
from index.store import utc_now

_SPEC: TypeAdapter[EvaluationSpec | TuningSpec] = TypeAdapter(Spec)


class Queue:
    """The tables `jobs` and `job_events`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def insert_or_get(
        self, spec: EvaluationSpec | TuningSpec, *, dedupe_key: str, owner: str, thread: str | None
    ) -> Job:
        """Queue a job, or return the one already there under this key: two deliveries cannot race."""
        values = {
            "dedupe_key": dedupe_key,
            "kind": spec.kind,
            "spec": spec.model_dump(mode="json"),
            "owner": owner,
            "thread": thread,
            "state": "queued",
            "created_at_utc": utc_now(),
        }
        try:
            with self._engine.begin() as connection:
                job_id = connection.execute(insert(jobs).values(values).returning(jobs.c.id)).scalar_one()
                connection.execute(insert(job_events).values(_event(job_id, "state", {"state": "queued"})))
        except IntegrityError:
            return self._one(select(jobs).where(jobs.c.dedupe_key == dedupe_key), dedupe_key)
        return self.job(str(job_id))

    def job(self, job_id: str) -> Job:
        """Read one job; UnknownJob when there is none."""
        return self._one(select(jobs).where(jobs.c.id == _number(job_id)), job_id)

    def newest(self, *, owner: str | None, limit: int, unfinished_only: bool) -> list[Job]:
        """List jobs, the newest first."""
        query = select(jobs).order_by(jobs.c.id.desc()).limit(limit)
        if owner is not None:
            query = query.where(jobs.c.owner == owner)
        if unfinished_only:
            query = query.where(jobs.c.state.not_in(TERMINAL))
        with self._engine.connect() as connection:
            return [_job(row) for row in connection.execute(query)]

    def next_unfinished(self, limit: int = 200) -> list[str]:
        """Numbers of jobs that somebody has to see to, the oldest first."""
        query = select(jobs.c.id).where(jobs.c.state.not_in(TERMINAL)).order_by(jobs.c.id).limit(limit)
        with self._engine.connect() as connection:
            return [str(job_id) for job_id in connection.execute(query).scalars()]

    def move(self, job_id: str, source: JobState, to: JobState, reason: Bilingual | None = None) -> bool:
        """Move a job from one state to another; False when it is not (or no longer) in the first."""
        return self._move(jobs.c.state == source, job_id, source, to, reason)

    def claim(self, job: Job) -> bool:
        """Begin the job's next attempt; False when somebody else did, or moved the job otherwise."""
        unclaimed = (jobs.c.state == job.state) & (jobs.c.attempts == job.attempts)
        return self._move(unclaimed, job.id, job.state, "starting", None)

    def _move(
        self,
        still: ColumnElement[bool],
        job_id: str,
        source: JobState,
        to: JobState,
        reason: Bilingual | None,
    ) -> bool:
        if to not in TRANSITIONS[source]:
            raise ValueError(f"job {job_id} may not move from {source} to {to}")
        number = _number(job_id)
        change = update(jobs).where(jobs.c.id == number, still).values(_values(to, reason))
        with self._engine.begin() as connection:
            moved = connection.execute(change).rowcount == 1
            if moved:
                connection.execute(insert(job_events).values(_event(number, "state", {"state": to})))
        return moved

    def record_child(self, job_id: str, *, pid: int, started_s: float) -> None:
        """Remember the process of this attempt, for a worker that may come after this one."""
        values = {"child_pid": pid, "child_started_s": started_s}
        with self._engine.begin() as connection:
            connection.execute(update(jobs).where(jobs.c.id == _number(job_id)).values(values))

    def child(self, job_id: str) -> tuple[int, float] | None:
        """The recorded process of the current attempt: its number and start time."""
        query = select(jobs.c.child_pid, jobs.c.child_started_s).where(jobs.c.id == _number(job_id))
        with self._engine.connect() as connection:
            pid, started_s = connection.execute(query).one()
        return None if pid is None else (pid, started_s)

    def standing(self, job_id: str) -> tuple[JobState, int]:
        """What a watcher asks all the time: the state, and how far the recipe's events were read (bytes)."""
        query = select(jobs.c.state, jobs.c.events_offset).where(jobs.c.id == _number(job_id))
        with self._engine.connect() as connection:
            state, offset = connection.execute(query).one()
        return state, offset

    def append_events(
        self, job_id: str, events: Sequence[tuple[EventKind, dict[str, Any]]], *, read_from: int, read_to: int
    ) -> None:
        """Store events of the recipe and how far its file was read, in one step: none is stored twice."""
        number = _number(job_id)
        unread = (jobs.c.id == number) & (jobs.c.events_offset == read_from)
        with self._engine.begin() as connection:
            moved = connection.execute(update(jobs).where(unread).values(events_offset=read_to)).rowcount == 1
            if moved and events:
                rows = [_event(number, kind, data) for kind, data in events]
                connection.execute(insert(job_events), rows)

    def add_note(self, job_id: str, note: Bilingual) -> None:
        """Leave a sentence for the person among the job's events."""
        event = _event(_number(job_id), "note", {"en": note.en, "zh": note.zh})
        with self._engine.begin() as connection:
            connection.execute(insert(job_events).values(event))

    def events_after(self, cursor: int, *, job_id: str | None, limit: int) -> list[JobEvent]:
        """What happened after the event numbered `cursor`, to one job or to all."""
        query = select(job_events).where(job_events.c.id > cursor).order_by(job_events.c.id).limit(limit)
        if job_id is not None:
            query = query.where(job_events.c.job_id == _number(job_id))
        with self._engine.connect() as connection:
            return [
                JobEvent(id=row.id, job_id=str(row.job_id), kind=row.kind, data=row.data, at_utc=row.at_utc)
                for row in connection.execute(query)
            ]

    def _one(self, query: Select[Any], name: str) -> Job:
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise UnknownJob(name)
        return _job(row)


def _number(job_id: str) -> int:
    """The row number that a person calls the job by."""
    if not (job_id.isascii() and job_id.isdigit() and len(job_id) <= 9):
        raise UnknownJob(job_id)
    return int(job_id)


def _values(to: JobState, reason: Bilingual | None) -> dict[str, Any]:
    """What changes in the row together with its state."""
    values: dict[str, Any] = {"state": to}
    if to == "starting":
        started = func.coalesce(jobs.c.started_at_utc, utc_now())
        values |= {"attempts": jobs.c.attempts + 1, "started_at_utc": started}
        values |= {"child_pid": None, "child_started_s": None}
    if to in TERMINAL:
        values["ended_at_utc"] = utc_now()
    if reason is not None:
        values["reason"] = {"en": reason.en, "zh": reason.zh}
    return values


def _event(number: int, kind: EventKind, data: dict[str, Any]) -> dict[str, Any]:
    return {"job_id": number, "kind": kind, "data": data, "at_utc": utc_now()}


def _job(row: Row[Any]) -> Job:
    return Job(
        id=str(row.id),
        spec=_SPEC.validate_python(row.spec),
        owner=row.owner,
        thread=row.thread,
        state=row.state,
        reason=Bilingual(en=row.reason["en"], zh=row.reason["zh"]) if row.reason else None,
        attempts=row.attempts,
        created_at_utc=row.created_at_utc,
        started_at_utc=row.started_at_utc,
        ended_at_utc=row.ended_at_utc,
    )
