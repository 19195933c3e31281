"""Rows of the store -> what people want to know: place in the line, expected start, time left, who has what.

Reads only. Every question is answered by an index or in one pass, so that it stays quick with ten
thousand jobs waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from math import inf
from statistics import median

from sqlalchemy import Connection, Engine, Row, String, cast, func, select

from finetune.fair import Forecast, in_turns
from finetune.state import ACTIVE, DeviceUse, Job, JobEvent, Outlook, Spent
from index.schema import job_events, jobs, leases, workers

_WINDOW = 60
"""So many events of a running job say how fast it is at the moment."""
_TYPICAL_OF = 25
_LEAST_FRAC = 0.05
"""Below this share a speed would only be a guess."""


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


_Place = tuple[int, float | None]
"""The place in the line, 1 is next, and the seconds until the job begins."""


class Outlooks:
    """Answers about jobs that have not ended, about devices, and about time spent."""

    def __init__(self, engine: Engine, *, most_running: int | None = None) -> None:
        """`most_running`: how many jobs a person may have running."""
        self._engine = engine
        self._most_running = most_running

    def of(self, found: Sequence[Job]) -> dict[str, Outlook]:
        """What lies before each of the jobs that have not ended."""
        begun = [job for job in found if not job.is_finished and not job.is_waiting]
        waiting = [job for job in found if job.is_waiting]
        with self._engine.connect() as connection:
            told = {job.id: _progress(connection, job) for job in begun}
            places = _places(connection, self._most_running) if waiting else {}
        nowhere = (None, None)  # it was taken up in this very moment
        for job in waiting:
            position, starts_in_s = places.get(int(job.id), nowhere)
            told[job.id] = Outlook(position=position, starts_in_s=starts_in_s)
        return told

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


def _progress(connection: Connection, job: Job) -> Outlook:
    frac, left_s = pace(_latest(connection, int(job.id)))
    return Outlook(done_frac=frac, left_s=left_s if job.state == "running" else None)


def _places(connection: Connection, most_running: int | None) -> dict[int, _Place]:
    """The whole line in one pass, in the order in which its jobs are expected to begin."""
    turn, forecast = _turn(connection), _forecast(connection, most_running)
    lines, gpus = _lines(connection)
    places: dict[int, _Place] = {}
    for _, line in sorted(lines.items()):
        first = {owner: numbers[0] for owner, numbers in line.items()}
        people = sorted(line, key=lambda owner: (*turn(owner), first[owner]))
        for owner, number in in_turns(line, people):
            places[number] = len(places) + 1, forecast.starts_in_s(owner, gpus.get(number, 1))
    return places


def _lines(connection: Connection) -> tuple[dict[tuple[bool, int], dict[str, list[int]]], dict[int, int]]:
    """Numbers of what waits, by rank and person, and the devices of those that need several.

    Jobs whose worker died go first, then higher priorities. The store strings the numbers together: ten thousand
    rows would take five times as long.
    """
    need = (jobs.c.state, jobs.c.priority, jobs.c.owner, jobs.c.gpus)
    together = func.aggregate_strings(cast(jobs.c.id, String), ",")
    query = select(*need, together).where(jobs.c.state.in_(ACTIVE), jobs.c.worker.is_(None)).group_by(*need)
    lines: dict[tuple[bool, int], dict[str, list[int]]] = {}
    several: dict[int, int] = {}
    for state, priority, owner, gpus, told in connection.execute(query):
        numbers = [int(number) for number in told.split(",")]
        line = lines.setdefault((state == "queued", -priority), {})
        line[owner] = sorted(line.get(owner, []) + numbers)
        if gpus > 1:
            several |= dict.fromkeys(numbers, gpus)
    return lines, several


def _turn(connection: Connection) -> Callable[[str], tuple[int, int]]:
    """How many jobs a person has running, and the number of the latest grant: the fewest and the oldest go first."""
    in_hand = (jobs.c.state.in_(ACTIVE), jobs.c.worker.is_not(None))
    running = select(jobs.c.owner, func.count()).where(*in_hand).group_by(jobs.c.owner)
    served = select(jobs.c.owner, func.max(jobs.c.turn)).group_by(jobs.c.owner)
    n_running: dict[str, int] = dict(connection.execute(running).all())
    last_turn: dict[str, int] = dict(connection.execute(served).all())
    return lambda owner: (n_running.get(owner, 0), last_turn.get(owner, 0))


def _forecast(connection: Connection, most_running: int | None) -> Forecast:
    typical_s = _typical_s(connection)
    devices = connection.execute(select(workers.c.devices)).scalars()
    n_devices = len({device["key"] for own in devices for device in own})
    free_at_s: list[float] = []
    ends_s: dict[str, list[float]] = {}
    for owner, gpus, left_s in _running(connection, typical_s):
        free_at_s += [left_s] * gpus
        ends_s.setdefault(owner, []).append(left_s)
    free_at_s = [0.0] * (n_devices - len(free_at_s)) + sorted(free_at_s)[:n_devices]
    return Forecast(inf if typical_s is None else typical_s, free_at_s, ends_s, most_running)


def _typical_s(connection: Connection) -> float | None:
    """How long jobs take: the median of those that succeeded last."""
    query = (
        select(jobs.c.ran_s).where(jobs.c.state == "succeeded").order_by(jobs.c.id.desc()).limit(_TYPICAL_OF)
    )
    lengths_s = list(connection.execute(query).scalars())
    return median(lengths_s) if lengths_s else None


def _running(connection: Connection, typical_s: float | None) -> Iterator[tuple[str, int, float]]:
    """Of every job in hand its person, its devices, and what is left: by its own speed, else by what is typical.

    One that has outrun what is typical is expected to take a tenth longer.
    """
    columns = (jobs.c.id, jobs.c.owner, jobs.c.gpus, jobs.c.ran_s)
    query = select(*columns).where(jobs.c.state.in_(ACTIVE), jobs.c.worker.is_not(None))
    for number, owner, gpus, ran_s in connection.execute(query).all():
        _frac, left_s = pace(_latest(connection, number))
        if left_s is None:
            left_s = inf if typical_s is None else max(typical_s - ran_s, ran_s / 10)
        yield owner, gpus, left_s


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
