"""Which worker has which job on which devices <-> rows of the store.

One statement decides each question, so that two workers cannot both be told yes: a job is granted by an
update that finds it in nobody's hand, a device by a primary key. Whether a worker lives is told by a count that
moves, not by the time of day: clocks differ between machines, and people set them.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Connection, Engine, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from finetune.devices import OTHERS_SAY, Device, as_json, host_name, process_space
from finetune.fair import Grant, Waiting
from finetune.state import ACTIVE
from index.schema import jobs, leases, workers
from index.store import utc_now

_ADVISORY_LOCK = 0x4C45415345


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """A worker as its row tells."""

    worker: str
    session: str
    space: str
    pid: int
    home: str
    beats: int

    @property
    def is_near(self) -> bool:
        """True when its processes can be seen and ended from here."""
        return self.space == process_space()

    @property
    def is_gone(self) -> bool:
        """True when its process is known to have ended: only its own machine can know."""
        return self.is_near and not psutil.pid_exists(self.pid)


@dataclass(slots=True)
class Watch:
    """Decides by one's own steady clock which workers are dead: those whose pulse stands still for too long."""

    lease_s: float
    _seen: dict[str, tuple[str, int, float]] = field(default_factory=dict)

    def dead(self, pulses: Sequence[Pulse], *, now_s: float) -> list[Pulse]:
        """Those that moved for the last time at least `lease_s` ago, or whose process is gone."""
        return [pulse for pulse in pulses if self._stands_still(pulse, now_s) or pulse.is_gone]

    def _stands_still(self, pulse: Pulse, now_s: float) -> bool:
        session, beats, since_s = self._seen.get(pulse.worker, ("", -1, now_s))
        if (session, beats) != (pulse.session, pulse.beats):
            self._seen[pulse.worker] = (pulse.session, pulse.beats, now_s)
            return False
        return now_s - since_s >= self.lease_s


class Leases:
    """The tables `workers` and `leases`, and the columns of `jobs` that say who has them in hand."""

    def __init__(self, engine: Engine, worker: str, *, home: Path) -> None:
        self._engine = engine
        self.worker = worker
        self.home = home
        self._session = uuid.uuid4().hex

    def enrol(self, devices: Sequence[Device]) -> None:
        """Be known from now on, in place of whoever had this id before."""
        values = {
            "session": self._session,
            "host": host_name(),
            "space": process_space(),
            "pid": os.getpid(),
            "home": str(self.home),
            "devices": [as_json(device) for device in devices],
            "beats": 0,
            "seen_at_utc": utc_now(),
        }
        with self._engine.begin() as connection:
            connection.execute(delete(workers).where(workers.c.id == self.worker))
            connection.execute(insert(workers).values(id=self.worker, **values))

    def restate(self, devices: Sequence[Device]) -> None:
        """Say anew which devices this worker has."""
        mine = (workers.c.id == self.worker) & (workers.c.session == self._session)
        change = update(workers).where(mine).values(devices=[as_json(device) for device in devices])
        with self._engine.begin() as connection:
            connection.execute(change)

    def beat(self) -> bool:
        """Show that this worker lives; False when another one goes by its id."""
        mine = (workers.c.id == self.worker) & (workers.c.session == self._session)
        change = update(workers).where(mine).values(beats=workers.c.beats + 1, seen_at_utc=utc_now())
        with self._engine.begin() as connection:
            return connection.execute(change).rowcount == 1

    def sign_off(self) -> None:
        """Be gone. With a job in hand the row stays: what runs goes on, and is the next worker's of this id, or
        after a while anybody's."""
        in_hand = select(jobs.c.id).where(jobs.c.worker == self.worker, jobs.c.state.in_(ACTIVE))
        mine = (workers.c.id == self.worker) & (workers.c.session == self._session)
        with self._engine.begin() as connection:
            connection.execute(delete(workers).where(mine, ~in_hand.exists()))

    def others(self) -> list[Pulse]:
        """The other workers of this store."""
        columns = [workers.c[name] for name in ("session", "space", "pid", "home", "beats")]
        query = select(workers.c.id.label("worker"), *columns).where(workers.c.id != self.worker)
        with self._engine.connect() as connection:
            return [Pulse(**row) for row in connection.execute(query).mappings()]

    def bury(self, dead: Pulse) -> list[str]:
        """Take a dead worker's jobs; nothing happens when it moved after all, or somebody was faster.

        On the same machine its children may live on, so jobs come here together with their devices, to be
        adopted or ended. On another machine nobody can reach them: the jobs go back into the line.
        """
        unmoved = (
            (workers.c.id == dead.worker)
            & (workers.c.session == dead.session)
            & (workers.c.beats == dead.beats)
        )
        in_hand = (jobs.c.worker == dead.worker) & jobs.c.state.in_(ACTIVE)
        with self._engine.begin() as connection:
            if connection.execute(delete(workers).where(unmoved)).rowcount != 1:
                return []
            ids = [str(id_) for id_ in connection.execute(select(jobs.c.id).where(in_hand)).scalars()]
            if dead.is_near:
                hers = leases.c.worker == dead.worker
                connection.execute(update(leases).where(hers).values(worker=self.worker))
                for number in ids:
                    self._take(connection, int(number))
            else:
                connection.execute(delete(leases).where(leases.c.worker == dead.worker))
                back = {"worker": None, "child_pid": None, "child_started_s": None}
                connection.execute(update(jobs).where(in_hand).values(back))
        return ids

    def may_run(self, job_id: str, near: set[str]) -> bool:
        """True when a process of this job may be alive on this machine."""
        query = select(jobs.c.worker).where(jobs.c.id == int(job_id), jobs.c.state.in_(ACTIVE))
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return row is not None and row.worker in {None, self.worker, *near}

    def is_near(self, worker: str | None) -> bool:
        """True for a worker whose processes can be seen from here."""
        return any(pulse.worker == worker and pulse.is_near for pulse in self.others())

    def mine(self) -> list[tuple[str, int]]:
        """The jobs in this worker's hand, each with the number of its grant."""
        query = select(jobs.c.id, jobs.c.turn).where(jobs.c.worker == self.worker, jobs.c.state.in_(ACTIVE))
        with self._engine.connect() as connection:
            return [(str(row.id), row.turn) for row in connection.execute(query)]

    def renew(self, job_id: str) -> None:
        """Give a job in this worker's hand a new grant, because the old one came to no end."""
        with self._engine.begin() as connection:
            self._take(connection, int(job_id))

    def waiting(self) -> list[Waiting]:
        """The first job of every person among those that need the same."""
        need = (jobs.c.owner, jobs.c.state, jobs.c.priority, jobs.c.gpus, jobs.c.memory_gib)
        query = (
            select(func.min(jobs.c.id).label("job_id"), *need)
            .where(jobs.c.state.in_(ACTIVE), jobs.c.worker.is_(None))
            .group_by(*need)
        )
        with self._engine.connect() as connection:
            return [Waiting(**row) for row in connection.execute(query).mappings()]

    def running(self) -> dict[str, int]:
        """How many jobs of each person are in some worker's hand."""
        query = select(jobs.c.owner, func.count()).where(*_IN_HAND).group_by(jobs.c.owner)
        with self._engine.connect() as connection:
            return dict(connection.execute(query).all())

    def served(self) -> dict[str, int]:
        """The number of the latest grant of each person."""
        query = select(jobs.c.owner, func.max(jobs.c.turn)).group_by(jobs.c.owner)
        with self._engine.connect() as connection:
            return dict(connection.execute(query).all())

    def free(self, devices: Sequence[Device]) -> list[Device]:
        """Those of the devices that nobody has leased."""
        with self._engine.connect() as connection:
            leased = set(connection.execute(select(leases.c.device)).scalars())
        return [device for device in devices if device.key not in leased]

    def device_lists(self) -> list[list[Mapping[str, Any]]]:
        """The devices of every worker."""
        with self._engine.connect() as connection:
            return list(connection.execute(select(workers.c.devices)).scalars())

    def grant(self, grant: Grant, *, most_running: int | None) -> bool:
        """Lease the devices and take the job in hand, or neither: False when somebody was faster."""
        try:
            with self._engine.begin() as connection:
                _one_at_a_time(connection)
                waits = (jobs.c.id == grant.job.job_id) & jobs.c.worker.is_(None) & jobs.c.state.in_(ACTIVE)
                if not self._take(connection, grant.job.job_id, waits):
                    return False
                if most_running is not None and _running_of(connection, grant.job.owner) > most_running:
                    raise _TooMany
                for device in grant.devices:
                    connection.execute(insert(leases).values(self._lease(device, grant.job.job_id)))
        except (IntegrityError, _TooMany):
            return False
        return True

    def visible_to(self, job_id: str) -> str | None:
        """What CUDA_VISIBLE_DEVICES has to say for the devices of a job; None when it has none."""
        query = select(leases.c.visible).where(leases.c.job_id == int(job_id)).order_by(leases.c.name)
        with self._engine.connect() as connection:
            visible = list(connection.execute(query).scalars())
        return None if not visible or OTHERS_SAY in visible else ",".join(visible)

    def _take(self, connection: Connection, job_id: int, where: Any = None) -> bool:
        """Put the job into this worker's hand under a new grant number."""
        newest = select(func.coalesce(func.max(jobs.c.turn), 0) + 1).scalar_subquery()
        condition = jobs.c.id == job_id if where is None else where
        change = update(jobs).where(condition).values(worker=self.worker, turn=newest)
        return connection.execute(change).rowcount == 1

    def _lease(self, device: Device, job_id: int) -> dict[str, Any]:
        return {
            "device": device.key,
            "job_id": job_id,
            "worker": self.worker,
            "name": device.name,
            "visible": device.visible,
            "taken_at_utc": utc_now(),
        }


class _TooMany(Exception):
    """The person has as many jobs running as one may have: rolls the grant back."""


_IN_HAND = (jobs.c.state.in_(ACTIVE), jobs.c.worker.is_not(None))


def _running_of(connection: Connection, owner: str) -> int:
    query = select(func.count()).select_from(jobs).where(*_IN_HAND, jobs.c.owner == owner)
    return connection.execute(query).scalar_one()


def _one_at_a_time(connection: Connection) -> None:
    """Grants take turns, so that counting is exact. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
