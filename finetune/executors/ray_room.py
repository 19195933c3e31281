"""What a cluster says of its load, and the runs that a worker holds there -> whether one more has room.

Ray's own report of what is busy is some seconds old, so it is believed only when nothing has changed here for
longer; in between what our runs take is counted.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from finetune.executors.ray_cluster import Cluster, Kind, Load, Need

_SETTLED_S = 10.0
_LOAD_S = 1.0


class Room:
    """The places of a cluster: who has one, and whether one is free. First come, first served."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._held: dict[Path, tuple[str | None, Need]] = {}
        self._asked: dict[Path, tuple[float, Need]] = {}
        self._changed_s = -_SETTLED_S
        self._others = 0.0
        self._load: Load | None = None
        self._load_s = 0.0
        self._one_at_a_time = threading.Lock()

    def take(self, job_dir: Path, need: Need) -> bool:
        """Set a place aside; True when this folder has one already."""
        with self._one_at_a_time:
            if job_dir in self._held:
                return True
            self._asked[job_dir] = (time.monotonic(), need)
            if self._free(need.kind) < need.count + self._wanted_before(job_dir):
                return False
            self._put(job_dir, None, need)
            return True

    def hold(self, job_dir: Path, run: str, need: Need) -> None:
        """The place of this folder is taken by a run."""
        with self._one_at_a_time:
            self._put(job_dir, run, need)

    def release(self, job_dir: Path) -> None:
        """The place is free again."""
        with self._one_at_a_time:
            self._held.pop(job_dir, None)
            self._changed_s = time.monotonic()
            self._load = None

    def give_up(self, job_dir: Path) -> None:
        """The place was never there: others have it, as the cluster's report says."""
        with self._one_at_a_time:
            self._held.pop(job_dir, None)

    def _put(self, job_dir: Path, run: str | None, need: Need) -> None:
        self._held[job_dir] = (run, need)
        self._asked.pop(job_dir, None)
        self._changed_s = time.monotonic()

    def _free(self, kind: Kind) -> float:
        load, now_s = self._fresh_load(kind), time.monotonic()
        mine = {run for run, _need in self._held.values()}
        elsewhere = sum(amount for run, amount in load.ours.items() if run not in mine)
        ours = elsewhere + sum(need.count for _run, need in self._held.values())
        if load.reported is not None and now_s - self._changed_s > _SETTLED_S:
            self._others = max(0.0, load.reported - ours)
        return load.total - ours - self._others

    def _fresh_load(self, kind: Kind) -> Load:
        now_s = time.monotonic()
        if self._load is None or now_s - self._load_s > _LOAD_S:
            self._load, self._load_s = self._cluster.load(kind), now_s
        return self._load

    def _wanted_before(self, job_dir: Path) -> int:
        """What jobs with a lower number want, that have asked of late."""
        recent_s = time.monotonic() - _SETTLED_S
        return sum(
            need.count
            for other, (asked_s, need) in self._asked.items()
            if asked_s > recent_s and _order(other) < _order(job_dir)
        )


def _order(job_dir: Path) -> tuple[int, str]:
    name = job_dir.name
    return (int(name) if name.isdigit() else 0, name)
