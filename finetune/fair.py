"""Who is next: what waits, who runs and who was served -> an order, a position, and when it may begin.

Pure. Jobs that had begun come first, then higher priorities; between people whoever has the fewest running,
then whoever was served longest ago; within one person first come. A job that needs more devices than are
free keeps them for itself, or small jobs would starve it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite

from finetune.devices import Device
from finetune.state import JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The first of one person's jobs that wait and need the same."""

    job_id: int
    owner: str
    state: JobState
    """Beyond `queued` when its worker died."""
    priority: int = 0
    gpus: int = 1
    memory_gib: float | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """A job that may begin, and what it gets."""

    job: Waiting
    devices: tuple[Device, ...]


def in_order(
    waiting: Sequence[Waiting], *, running: Mapping[str, int], served: Mapping[str, int]
) -> list[Waiting]:
    """Sort what waits. `running`: jobs a person; `served`: the number of a person's latest grant."""
    return sorted(
        waiting,
        key=lambda job: (
            job.state == "queued",
            -job.priority,
            running.get(job.owner, 0),
            served.get(job.owner, 0),
            job.job_id,
        ),
    )


def next_grant(
    ordered: Sequence[Waiting],
    *,
    devices: Sequence[Device],
    free: Sequence[Device],
    running: Mapping[str, int],
    most_running: int | None = None,
) -> Grant | None:
    """The first job that may begin now on this machine, or None."""
    kept: set[str] = set()
    for job in ordered:
        if job.state == "cancelling":
            return Grant(job, ())
        if most_running is not None and running.get(job.owner, 0) >= most_running and job.state == "queued":
            continue
        holding = [device for device in devices if holds(device, job)]
        if len(holding) < job.gpus:
            continue
        usable = sorted(
            (device for device in free if device in holding and device.key not in kept),
            key=lambda device: device.memory_gib,
        )
        if len(usable) >= job.gpus:
            return Grant(job, tuple(islice(usable, job.gpus)))
        kept.update(device.key for device in holding)
    return None


def holds(device: Device, job: Waiting) -> bool:
    """True when the device is large enough, or nobody could tell how much the job needs."""
    return job.memory_gib is None or job.memory_gib <= device.memory_gib


def in_turns(lines: Mapping[str, Sequence[int]], people: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Deal out what waits as `in_order` does job by job: one of each person's a round, `people` in their order."""
    left, turn = list(people), 0
    while left := [person for person in left if len(lines[person]) > turn]:
        for person in left:
            yield person, lines[person][turn]
        turn += 1


@dataclass(slots=True)
class Forecast:
    """When jobs begin, told one after another in their order: each takes the devices that are free first."""

    typical_s: float
    """How long a job takes; infinity while nobody knows."""
    free_at_s: list[float]
    """For each device, seconds from now; infinity where that is unknown."""
    ends_s: dict[str, list[float]]
    """When the jobs end that each person has running."""
    most_running: int | None = None

    def __post_init__(self) -> None:
        """Have the earliest in front."""
        for times in (self.free_at_s, *self.ends_s.values()):
            heapq.heapify(times)

    def starts_in_s(self, owner: str, gpus: int) -> float | None:
        """When the next job of the line begins; None when nobody can tell."""
        count = min(gpus, len(self.free_at_s))
        if count < 1:
            return None
        for _ in range(count - 1):
            heapq.heappop(self.free_at_s)
        begins_s = self.free_at_s[0]
        if self.most_running is not None:
            ends_s = self.ends_s.setdefault(owner, [])
            if len(ends_s) >= self.most_running:
                begins_s = max(begins_s, heapq.heappop(ends_s))
            heapq.heappush(ends_s, begins_s + self.typical_s)
        heapq.heapreplace(self.free_at_s, begins_s + self.typical_s)
        for _ in range(count - 1):
            heapq.heappush(self.free_at_s, begins_s + self.typical_s)
        return begins_s if isfinite(begins_s) else None
