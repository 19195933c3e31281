"""Who is next: what waits, who runs and who was served -> an order, a position, and when it may begin.

Pure. Jobs that had begun come first, then higher priorities; between people whoever has the fewest running,
then whoever was served longest ago; within one person first come. A job that needs more devices than are
free keeps them for itself, or small jobs would starve it.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from finetune.devices import Device
from finetune.state import JobState

_COUNTED_ROUNDS = 50
"""Of a longer line whole rounds are multiplied: all devices take turns by then."""


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


def position(
    *, own_before: int, earlier: Sequence[int], later: Sequence[int], ahead_by_priority: int = 0
) -> int:
    """The place in the line when people take turns: 1 is next.

    `own_before`: the person's own jobs in front; `earlier` and `later`: how many jobs each other person has
    waiting whose turn is before and after this person's.
    """
    others = sum(min(count, own_before + 1) for count in earlier) + sum(
        min(count, own_before) for count in later
    )
    return 1 + ahead_by_priority + own_before + others


def starts_in_s(*, ahead: int, left_s: Sequence[float], typical_s: float | None, slots: int) -> float | None:
    """When the job behind `ahead` others begins: each takes the device that is free first, for a typical time.

    None while nothing has ended that would say how long jobs take, or when there is no device.
    """
    if slots < 1 or (typical_s is None and (ahead or len(left_s) >= slots)):
        return None
    free_at_s = sorted(left_s)[:slots] + [0.0] * max(slots - len(left_s), 0)
    heapq.heapify(free_at_s)
    rounds = max(ahead // slots - _COUNTED_ROUNDS, 0)
    for _ in range(ahead - rounds * slots):
        heapq.heapreplace(free_at_s, free_at_s[0] + (typical_s or 0.0))
    return free_at_s[0] + rounds * (typical_s or 0.0)
