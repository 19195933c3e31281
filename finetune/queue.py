"""Jobs and their events <-> rows of the store. Every change of a job's state passes through `Queue._move`.

The row is the truth: DBOS is told about a job by the worker, from its row, and may be told twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    delete,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.exc import IntegrityError

from finetune.errors import QueueFull, UnreadableJob
from finetune.spec import EvaluationSpec, Spec, TuningSpec
from finetune.state import ACTIVE, ORDINARY, TERMINAL, TRANSITIONS, EventKind, Job, JobEvent, JobState, Terms
from index.bilingual import Bilingual
from index.caller import current_request_id
from index.errors import UnknownJob
from index.schema import job_events, jobs, leases
from index.store import utc_now

logger = logging.getLogger(__name__)

_SPEC: TypeAdapter[EvaluationSpec | TuningSpec] = TypeAdapter(Spec)


class NotOurs(Exception):
    """The job went to another worker, because this one was taken for dead. Never shown."""

    def __init__(self, job_id: str, worker: str | None) -> None:
        super().__init__(f"job {job_id} is in the hand of {worker}")
        self.worker = worker


class Queue:
    """The tables `jobs` and `job_events`."""

    def __init__(self, engine: Engine, *, worker: str | None = None) -> None:
        """With a `worker`, changes reach only the jobs that it has in hand: one that was taken for dead and
        comes back can do no harm."""
        self._engine = engine
        self._ours: ColumnElement[bool] = true() if worker is None else jobs.c.worker == worker
        self._worker = worker

    def find(self, dedupe_key: str) -> str | None:
        """The id of the job that was queued under this key; None when there is none."""
        query = select(jobs.c.id).where(jobs.c.dedupe_key == dedupe_key)
        with self._engine.connect() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else str(found)

    def insert_or_get(
        self,
        spec: EvaluationSpec | TuningSpec,
        *,
        dedupe_key: str,
        owner: str,
        thread: str | None,
        terms: Terms = ORDINARY,
        most_queued: int | None = None,
    ) -> Job:
        """Queue a job, or return the one already there under this key: two deliveries cannot race.

        QueueFull when the person would have more than `most_queued` jobs waiting.
        """
        values = {
            "dedupe_key": dedupe_key,
            "kind": spec.kind,
            "spec": spec.model_dump(mode="json"),
            "owner": owner,
            "thread": thread,
            "state": "queued",
            "gpus": terms.gpus,
            "max_hours": terms.max_hours,
            "memory_gib": terms.memory_gib,
            "request_id": current_request_id(),
            "created_at_utc": utc_now(),
        }
        try:
            with self._engine.begin() as connection:
                job_id = connection.execute(insert(jobs).values(values).returning(jobs.c.id)).scalar_one()
                connection.execute(insert(job_events).values(_event(job_id, "state", {"state": "queued"})))
                if most_queued is not None and _count_waiting(connection, owner) > most_queued:
                    raise QueueFull(owner, most_queued)
        except IntegrityError:
            return self._one(select(jobs).where(jobs.c.dedupe_key == dedupe_key), dedupe_key)
        return self.job(str(job_id))

    def job(self, job_id: str) -> Job:
        """Read one job; UnknownJob when there is none."""
        return self._one(select(jobs).where(jobs.c.id == _number(job_id)), job_id)

    def newest(
        self, *, owner: str | None, limit: int, unfinished_only: bool, team: str | None = None
    ) -> list[Job]:
        """List jobs, the newest first; with a `team` those of that workspace. Rows that cannot be read are left out,
        see `unreadable`."""
        query = _newest(owner=owner, limit=limit, unfinished_only=unfinished_only, team=team)
        with self._engine.connect() as connection:
            return list(_readable(connection.execute(query)))

    def unreadable(self, *, limit: int, team: str | None = None) -> list[UnreadableJob]:
        """What is wrong with those of the newest rows that no job can be made of."""
        query = _newest(owner=None, limit=limit, unfinished_only=False, team=team)
        found = []
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                try:
                    _job(row)
                except UnreadableJob as error:
                    found.append(error)
        return found

    def under_keys(self, prefix: str) -> dict[str, Job]:
        """The jobs whose key begins like this, by key."""
        query = select(jobs).where(jobs.c.dedupe_key.startswith(prefix, autoescape=True)).order_by(jobs.c.id)
        with self._engine.connect() as connection:
            return {row.dedupe_key: _job(row) for row in connection.execute(query)}

    def next_unfinished(self, limit: int = 200) -> list[str]:
        """Numbers of jobs that somebody has to see to, the oldest first."""
        query = select(jobs.c.id).where(jobs.c.state.in_(ACTIVE)).order_by(jobs.c.id).limit(limit)
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
        return self._change(still & self._ours, job_id, to, reason)

    def _change(
        self, still: ColumnElement[bool], job_id: str, to: JobState, reason: Bilingual | None
    ) -> bool:
        number = _number(job_id)
        change = update(jobs).where(jobs.c.id == number, still).values(_values(to, reason))
        with self._engine.begin() as connection:
            moved = connection.execute(change).rowcount == 1
            if moved:
                connection.execute(insert(job_events).values(_event(number, "state", {"state": to})))
            if moved and to in TERMINAL:
                connection.execute(delete(leases).where(leases.c.job_id == number))
        return moved

    def refuse(self, job_id: str, reason: Bilingual) -> bool:
        """Fail a job that nobody has in hand; False when somebody took or moved it meanwhile."""
        waiting = (jobs.c.state == "queued") & jobs.c.worker.is_(None)
        return self._change(waiting, job_id, "failed", reason)

    def condemn(self, job_id: str, reason: Bilingual) -> bool:
        """Fail a job whatever its state is, for rows whose state is none: no legal move leads out of it."""
        return self._change(jobs.c.state.not_in(TERMINAL) & self._ours, job_id, "failed", reason)

    def prioritise(self, job_id: str, priority: int) -> bool:
        """Put a job before or behind those of another priority; False when it does not wait any more."""
        waiting = (jobs.c.id == _number(job_id)) & (jobs.c.state == "queued") & jobs.c.worker.is_(None)
        with self._engine.begin() as connection:
            return connection.execute(update(jobs).where(waiting).values(priority=priority)).rowcount == 1

    def add_run_time(self, job_id: str, seconds: float) -> float:
        """Count time on the devices, measured by a clock that nobody sets; return the sum so far."""
        mine = (jobs.c.id == _number(job_id)) & self._ours
        change = update(jobs).where(mine).values(ran_s=jobs.c.ran_s + seconds).returning(jobs.c.ran_s)
        with self._engine.begin() as connection:
            return connection.execute(change).scalar_one_or_none() or 0.0

    def record_spent(self, job_id: str, usd: float) -> None:
        """Keep what hosted models billed for the job."""
        mine = (jobs.c.id == _number(job_id)) & self._ours
        with self._engine.begin() as connection:
            connection.execute(update(jobs).where(mine).values(spent_usd=usd))

    def record_child(self, job_id: str, *, pid: int, started_s: float) -> None:
        """Remember the process of this attempt, for a worker that may come after this one."""
        values = {"child_pid": pid, "child_started_s": started_s}
        mine = (jobs.c.id == _number(job_id)) & self._ours
        with self._engine.begin() as connection:
            connection.execute(update(jobs).where(mine).values(values))

    def child(self, job_id: str) -> tuple[int, float] | None:
        """The recorded process of the current attempt: its number and start time."""
        query = select(jobs.c.child_pid, jobs.c.child_started_s).where(jobs.c.id == _number(job_id))
        with self._engine.connect() as connection:
            pid, started_s = connection.execute(query).one()
        return None if pid is None else (pid, started_s)

    def standing(self, job_id: str) -> tuple[JobState, int]:
        """What a watcher asks all the time: the state, and how far the recipe's events were read (bytes).

        NotOurs when the job is in another worker's hand.
        """
        columns = (jobs.c.state, jobs.c.events_offset, jobs.c.worker)
        with self._engine.connect() as connection:
            row = connection.execute(select(*columns).where(jobs.c.id == _number(job_id))).one()
        if self._worker is not None and row.worker != self._worker:
            raise NotOurs(job_id, row.worker)
        return row.state, row.events_offset

    def append_events(
        self, job_id: str, events: Sequence[tuple[EventKind, dict[str, Any]]], *, read_from: int, read_to: int
    ) -> None:
        """Store events of the recipe and how far its file was read, in one step: none is stored twice."""
        number = _number(job_id)
        unread = (jobs.c.id == number) & (jobs.c.events_offset == read_from) & self._ours
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


def _newest(*, owner: str | None, limit: int, unfinished_only: bool, team: str | None) -> Select[Any]:
    query = select(jobs).order_by(jobs.c.id.desc()).limit(limit)
    if team is not None:
        query = query.where(jobs.c.thread.startswith(f"{team}:", autoescape=True))
    if owner is not None:
        query = query.where(jobs.c.owner == owner)
    return query.where(jobs.c.state.in_(ACTIVE)) if unfinished_only else query


def _count_waiting(connection: Connection, owner: str) -> int:
    waiting = (jobs.c.owner == owner) & (jobs.c.state == "queued") & jobs.c.worker.is_(None)
    return connection.execute(select(func.count()).select_from(jobs).where(waiting)).scalar_one()


def _readable(rows: Iterable[Row[Any]]) -> Iterable[Job]:
    for row in rows:
        try:
            yield _job(row)
        except UnreadableJob as error:
            logger.info("job unreadable", extra={"job_id": row.id, "why": error.why})


def _job(row: Row[Any]) -> Job:
    """The job of a row; UnreadableJob when somebody changed the row to what no job can be."""
    if row.state not in TRANSITIONS:
        raise UnreadableJob(str(row.id), f"its state is {row.state!r}")
    try:
        spec = _SPEC.validate_python(row.spec)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "spec"
        raise UnreadableJob(str(row.id), f"{place}: {first['msg']}") from error
    return Job(
        id=str(row.id),
        spec=spec,
        owner=row.owner,
        thread=row.thread,
        state=row.state,
        reason=Bilingual(en=row.reason["en"], zh=row.reason["zh"]) if row.reason else None,
        attempts=row.attempts,
        created_at_utc=row.created_at_utc,
        started_at_utc=row.started_at_utc,
        ended_at_utc=row.ended_at_utc,
        terms=Terms(gpus=row.gpus, max_hours=row.max_hours, memory_gib=row.memory_gib),
        priority=row.priority,
        worker=row.worker,
        ran_s=row.ran_s,
        request_id=row.request_id,
    )
