"""Waiting rows -> jobs in hand: what one worker does between two looks at the store.

It shows that it lives, takes up the jobs of workers that do not, and grants its free devices to whoever is
next. `begin` is told of every job in hand until its thread has taken it up, and may be told twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune.devices import Device
from finetune.executors.base import Executor
from finetune.fair import Waiting, in_order, next_grant
from finetune.leases import Leases, Watch
from finetune.policy import Policy
from finetune.queue import Queue
from index.bilingual import Bilingual
from index.errors import Unavailable

logger = logging.getLogger(__name__)

_BEATS_A_LEASE = 10
_STRANDED_S = 5.0
"""A job in hand that no thread has taken up by then gets a new grant."""


class Replaced(Exception):
    """Another worker goes by this one's id, as after a copy of the home: this one has to go."""


@dataclass(slots=True)
class Dispatcher:
    """The decisions of one worker. `in_hand` holds the jobs that a thread of this process sees to."""

    queue: Queue
    leases: Leases
    executor: Executor
    devices: Sequence[Device]
    policy: Policy
    begin: Callable[[str, int], None]
    """Start to see a job through, under the number of its grant."""
    in_hand: set[str]
    patience_s: float = 0.0
    """A job that no worker has the devices for is refused only then: others may still be starting."""
    look_for_devices: Callable[[], Sequence[Device]] | None = None
    """Where devices come and go; Unavailable while nobody can tell."""
    clock: Callable[[], float] = time.monotonic
    _since_s: float = field(init=False)
    _watch: Watch = field(init=False)
    _beat_at_s: float = field(init=False, default=-1e9)
    _told: dict[tuple[str, int], float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Nobody is known to be dead yet."""
        self._since_s = self.clock()
        self._watch = Watch(self.policy.lease_s)

    def beat(self) -> None:
        """Show that this worker lives, when it is time to, and look whether the others do."""
        now_s = self.clock()
        if now_s - self._beat_at_s < self.policy.lease_s / _BEATS_A_LEASE:
            return
        if not self.leases.beat():
            raise Replaced
        self._beat_at_s = now_s
        self._look_for_more()
        for dead in self._watch.dead(self.leases.others(), now_s=now_s):
            self._bury(dead.worker, dead.home, self.leases.bury(dead), near=dead.is_near)

    def _look_for_more(self) -> None:
        """Devices that came are there to lease. Those that went stay: they may come back, and jobs wait for them."""
        try:
            now = self.look_for_devices() if self.look_for_devices else ()
        except Unavailable:
            return
        known = {device.key for device in self.devices}
        if new := [device for device in now if device.key not in known]:
            self.devices = (*self.devices, *new)
            self.leases.restate(self.devices)

    def sweep(self) -> None:
        """End runs of this home that are no job's any more, as those that another machine took over."""
        near = {pulse.worker for pulse in self.leases.others() if pulse.is_near}
        for folder in self.executor.strays(self.leases.home / "jobs"):
            if not self.leases.may_run(folder.name, near):
                logger.warning("stray run ended", extra={"job_id": folder.name})
                if handle := self.executor.adopt(folder, None):
                    self.executor.cancel(handle)

    def look(self) -> bool:
        """Begin what is in hand and what can be taken in hand; True while there is any work."""
        while (waiting := self.leases.waiting()) and self._grant_next(waiting):
            pass
        return self._begin_all() > 0 or bool(waiting)

    def _bury(self, worker: str, home: str, job_ids: Sequence[str], *, near: bool) -> None:
        """Children under another home cannot be adopted, because their files are elsewhere: end them."""
        if job_ids:
            logger.warning("worker is dead", extra={"worker": worker, "jobs": job_ids})
        for job_id in job_ids if near and Path(home) != self.leases.home else ():
            if handle := self.executor.adopt(Path(home) / "jobs" / job_id, None):
                self.executor.cancel(handle)

    def _grant_next(self, waiting: Sequence[Waiting]) -> bool:
        running, served = self.leases.running(), self.leases.served()
        ordered = in_order(waiting, running=running, served=served)
        grant = next_grant(
            ordered,
            devices=self.devices,
            free=self.leases.free(self.devices),
            running=running,
            most_running=self.policy.running_per_person,
        )
        if grant is None:
            return self._refuse_what_fits_nowhere()
        return self.leases.grant(grant, most_running=self.policy.running_per_person)

    def _begin_all(self) -> int:
        """Begin what nobody sees to yet; return how many jobs are in hand."""
        now_s = self.clock()
        mine = self.leases.mine()
        idle = {(job_id, turn) for job_id, turn in mine if job_id not in self.in_hand}
        self._told = {job: since_s for job, since_s in self._told.items() if job in idle}
        for job_id, turn in sorted(idle - self._told.keys()):
            self._told[job_id, turn] = now_s
            self.begin(job_id, turn)
        for (job_id, _turn), since_s in self._told.items():
            if now_s - since_s >= _STRANDED_S:
                self.leases.renew(job_id)
        return len(mine)

    def _refuse_what_fits_nowhere(self) -> bool:
        """End jobs that no known worker has the devices for: they would wait for ever."""
        has_only_begun = self.clock() - self._since_s < self.patience_s
        if has_only_begun or not self.devices:  # without any, the place is away, and may have anything
            return False
        lists = self.leases.device_lists()
        refused: bool = False
        for job in self.leases.waiting():
            if job.state == "queued" and not any(
                _has_room(devices, job.gpus, job.memory_gib) for devices in lists
            ):
                reason = _fits_nowhere(job.gpus, job.memory_gib, lists)
                refused = self.queue.refuse(str(job.job_id), reason) or refused
        return refused


def _has_room(devices: Sequence[Mapping[str, Any]], gpus: int, memory_gib: float | None) -> bool:
    large_enough = [device for device in devices if memory_gib is None or device["memory_gib"] >= memory_gib]
    return len(large_enough) >= gpus


def _fits_nowhere(
    gpus: int, memory_gib: float | None, lists: Sequence[Sequence[Mapping[str, Any]]]
) -> Bilingual:
    most = max(map(len, lists), default=0)
    if gpus > most:
        return Bilingual(
            en=f"This job asks for {gpus} devices and the largest machine has {most}. "
            "Ask for fewer (`--gpus`), or add a worker on a machine that has them.",
            zh=f"该任务需要 {gpus} 个设备，而最大的机器只有 {most} 个。请减少 `--gpus`，或在有足够设备的机器上启动 worker。",
        )
    largest = max((device["memory_gib"] for devices in lists for device in devices), default=0.0)
    return Bilingual(
        en=f"This job needs about {memory_gib:.1f} GiB on {gpus} device(s) and the largest device has "
        f"{largest:.1f} GiB. Try a smaller model, int8 or nf4, or shorter rows.",
        zh=f"该任务约需 {memory_gib:.1f} GiB（{gpus} 个设备），而最大的设备只有 {largest:.1f} GiB。"
        "请换更小的模型、用 int8 或 nf4，或缩短文本。",
    )
