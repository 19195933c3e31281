"""Rows of the store -> what people want to know: place in the line, expected start, time left, who has what.

Reads only. Everything is counted by indexes, so that it stays quick with ten thousand jobs waiting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from sqlalchemy import Connection, Engine, Row, func, select

from finetune.fair import position, starts_in_s
from finetune.state import ACTIVE, DeviceUse, Job, JobEvent, Outlook, Spent
from index.schema import job_events, jobs, leases, workers

_WINDOW = 60
"""So many events of a running job say how fast it is at the moment."""
_TYPICAL_OF = 25
_LEAST_FRAC = 0.05
"""Below this share a speed would only be a guess."""

_WAITS = (jobs.c.state == "queued") & jobs.c.worker.is_(None)


def pace(events: Sequence[JobEvent]) -> tuple[float | None, float | None]:
    """The share that is done and the seconds that are left, by the latest events of one attempt.

    The speed is that of the latest stage; None where nothing tells.
    """
    attempt = list(events)
    for index, event in enumerate(events):
        if event.kind == "state" and event.data.get("state") == "starting":
            attempt = list(events[index:])
    progress = [event for event in attempt if event.kind == "progress" and (event.data.get("total") or 0) > 0]
    if not progress:
        return None, None
    last = progress[-1]
    done, total = last.data.get("done") or 0, last.data["total"]
    same = [event for event in progress if _is_same_stage(event, last)]
    passed_s = _seconds(same[0].at_utc, last.at_utc)
    advanced = done - (same[0].data.get("done") or 0)
    frac = min(done / total, 1.0)
    if passed_s <= 0 or advanced <= 0 or frac < _LEAST_FRAC:
        return frac, None
    return frac, max(total - done, 0) * passed_s / advanced


def _is_same_stage(event: JobEvent, last: JobEvent) -> bool:
    return (event.data.get("stage"), event.data["total"]) == (last.data.get("stage"), last.data["total"])


def _seconds(start_utc: str, end_utc: str) -> float:
    return (datetime.fromisoformat(end_utc) - datetime.fromisoformat(start_utc)).total_seconds()


@dataclass(frozen=True, slots=True)
class _Line:
    """How the line stands at this moment."""

    waiting: Mapping[tuple[int, str], int]
    """Jobs by priority and person."""
    own_before: Mapping[int, int]
    """Of each waiting job: the person's own ones in front."""
    running: Mapping[str, int]
    served: Mapping[str, int]
    slots: int
    left_s: Sequence[float]
    typical_s: float | None

    def goes_before(self, other: str, owner: str) -> bool:
        """True when the other person's turn is before this one's."""
        return self._turn(other) < self._turn(owner)

    def _turn(self, person: str) -> tuple[int, int]:
        return self.running.get(person, 0), self.served.get(person, 0)


class Outlooks:
    """Answers about jobs that have not ended, about devices, and about time spent."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, found: Sequence[Job]) -> dict[str, Outlook]:
        """What lies before each of the jobs that have not ended."""
        unfinished = [job for job in found if not job.is_finished]
        if not unfinished:
            return {}
        with self._engine.connect() as connection:
            line = _line(connection)
            return {job.id: _outlook(connection, line, job) for job in unfinished}

    def devices(self) -> list[DeviceUse]:
        """Every device of every worker, and who has it."""
        query = select(leases, jobs.c.owner).join(jobs, jobs.c.id == leases.c.job_id)
        with self._engine.connect() as connection:
            taken = {row.device: row for row in connection.execute(query)}
            rows = connection.execute(select(workers.c.host, workers.c.devices)).all()
        seen = {
            device["key"]: _use(host, device, taken.get(device["key"]))
            for host, own in rows
            for device in own
        }
        return sorted(seen.values(), key=lambda use: (use.host, use.name))

    def spent(self) -> list[Spent]:
        """Device time of every person, the most first."""
        hours = func.sum(jobs.c.ran_s * jobs.c.gpus) / 3600
        query = select(jobs.c.owner, hours, func.count()).where(jobs.c.ran_s > 0).group_by(jobs.c.owner)
        with self._engine.connect() as connection:
            found = [
                Spent(owner=o, device_hours=round(h, 4), jobs=n) for o, h, n in connection.execute(query)
            ]
        return sorted(found, key=lambda spent: -spent.device_hours)


def _use(host: str, device: Mapping[str, object], lease: Row[tuple[object, ...]] | None) -> DeviceUse:
    return DeviceUse(
        name=str(device["name"]),
        host=host,
        kind=str(device["kind"]),
        memory_gib=float(str(device["memory_gib"])),
        job_id=str(lease.job_id) if lease else None,
        owner=lease.owner if lease else None,
        since_utc=lease.taken_at_utc if lease else None,
    )


def _outlook(connection: Connection, line: _Line, job: Job) -> Outlook:
    if not job.is_waiting:
        frac, left_s = pace(_latest(connection, int(job.id)))
        return Outlook(done_frac=frac, left_s=left_s if job.state == "running" else None)
    same = {o: n for (p, o), n in line.waiting.items() if p == job.priority and o != job.owner}
    place = position(
        own_before=line.own_before.get(int(job.id), 0),
        earlier=[count for other, count in same.items() if line.goes_before(other, job.owner)],
        later=[count for other, count in same.items() if not line.goes_before(other, job.owner)],
        ahead_by_priority=sum(count for (p, _), count in line.waiting.items() if p > job.priority),
    )
    begins = starts_in_s(ahead=place - 1, left_s=line.left_s, typical_s=line.typical_s, slots=line.slots)
    return Outlook(position=place, starts_in_s=begins)


def _line(connection: Connection) -> _Line:
    count = func.count()
    waiting: Counter[tuple[int, str]] = Counter()
    own_before = {}
    line = select(jobs.c.id, jobs.c.priority, jobs.c.owner).where(_WAITS).order_by(jobs.c.id)
    for job_id, priority, owner in connection.execute(line):
        own_before[job_id] = waiting[priority, owner]
        waiting[priority, owner] += 1
    in_hand = (jobs.c.state.in_(ACTIVE), jobs.c.worker.is_not(None))
    running = select(jobs.c.owner, count).where(*in_hand).group_by(jobs.c.owner)
    served = select(jobs.c.owner, func.max(jobs.c.turn)).group_by(jobs.c.owner)
    typical_s = _typical_s(connection)
    devices = connection.execute(select(workers.c.devices)).scalars()
    return _Line(
        waiting=waiting,
        own_before=own_before,
        running=dict(connection.execute(running).all()),
        served=dict(connection.execute(served).all()),
        slots=len({device["key"] for own in devices for device in own}),
        left_s=_left_s(connection, typical_s),
        typical_s=typical_s,
    )


def _typical_s(connection: Connection) -> float | None:
    """How long jobs take: the median of those that succeeded last."""
    query = (
        select(jobs.c.ran_s).where(jobs.c.state == "succeeded").order_by(jobs.c.id.desc()).limit(_TYPICAL_OF)
    )
    lengths_s = list(connection.execute(query).scalars())
    return median(lengths_s) if lengths_s else None


def _left_s(connection: Connection, typical_s: float | None) -> list[float]:
    """What is left of every job in hand: by its own speed, else by what is typical."""
    query = select(jobs.c.id, jobs.c.ran_s).where(jobs.c.state.in_(ACTIVE), jobs.c.worker.is_not(None))
    left = []
    for job_id, ran_s in connection.execute(query).all():
        _frac, left_s = pace(_latest(connection, job_id))
        left.append(left_s if left_s is not None else max((typical_s or 0.0) - ran_s, 0.0))
    return left


def _latest(connection: Connection, number: int) -> list[JobEvent]:
    query = (
        select(job_events)
        .where(job_events.c.job_id == number)
        .order_by(job_events.c.id.desc())
        .limit(_WINDOW)
    )
    return [
        JobEvent(id=row.id, job_id=str(row.job_id), kind=row.kind, data=row.data, at_utc=row.at_utc)
        for row in reversed(connection.execute(query).all())
    ]
