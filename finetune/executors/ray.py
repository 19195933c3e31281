"""Run a recipe on a Ray cluster, under a guard that tells of it through the job's folder.

The folder lies in storage that the worker and every node see under the same path. Ray is asked only when the
folder is silent: a cluster that is away takes nothing from a run that goes on.

Ray fails a job that waits too long for a place and may start it later all the same. So a run is submitted
only when there is room; one that has to wait even so is withdrawn, and its guard, should it start some day,
finds another run's name in the folder and does nothing.
"""

from __future__ import annotations

import json
import logging
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from finetune.executors.base import Ended, Handle, Recipe
from finetune.executors.guard import RunFiles
from finetune.executors.local import RECIPES
from finetune.executors.ray_cluster import Cluster, ClusterAway, Kind, Need
from finetune.executors.ray_room import Room

logger = logging.getLogger(__name__)

_ASK_S = 1.0
"""So often Ray is asked about one run, however often the worker asks."""
_LOOK_S = 0.1
_SURE_END_S = 10.0
_GUARD = ("-P", "-m", "finetune.executors.guard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the executor waits, and for what."""

    polite_s: float = 5.0
    """For a recipe to end by itself once it was asked to."""
    silent_s: float = 15.0
    """For a guard that beats every second, and not while it ends its run, until Ray is asked about it."""
    pending_s: float = 60.0
    """For a place that was free when the run was submitted. Ray gives up after 900 s, and not for sure."""


@dataclass(slots=True)
class _Watch:
    """What a worker has seen of a run. Times are this process's own: no two clocks have to agree."""

    run: str
    beat: int | None = None
    heard_s: float = field(default_factory=time.monotonic)
    pending_since_s: float | None = None
    asked_s: float = 0.0

    @property
    def has_begun(self) -> bool:
        return self.beat is not None


class RayExecutor:
    """Runs on a cluster, one place each."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        kind: Kind = "gpu",
        python: str = sys.executable,
        recipes: Mapping[Recipe, Sequence[str]] = RECIPES,
        patience: Patience = Patience(),
    ) -> None:
        """`python`: the interpreter on the nodes that has Shortlist installed."""
        self._cluster = cluster
        self._room = Room(cluster)
        self._kind = kind
        self._python = python
        self._recipes = recipes
        self._patience = patience
        self._watched: dict[Path, _Watch] = {}

    def start(self, job_dir: Path, recipe: Recipe, key_names: Sequence[str] = ()) -> Handle:
        """Name the run in the folder, then submit it. Without room, or without an answer, `poll` does so later.

        Of keys only the names are passed on: Ray shows what it is given to everybody who can see the cluster.
        """
        files = RunFiles(job_dir)
        before = files.wanted()
        number, token = before.get("number", 0) + 1, before.get("token") or secrets.token_hex(4)
        run = f"shortlist-{job_dir.name}-{number}-{token}"
        files.want(run=run, number=number, token=token, recipe=recipe, keys=list(key_names))
        self._watched[job_dir] = _Watch(run)
        try:
            self._submit_if_room(job_dir)
        except ClusterAway:
            logger.warning("cluster away", extra={"run": run})
        return Handle(job_dir=job_dir, pid=number, started_s=time.time())

    def adopt(self, job_dir: Path, recorded: Handle | None) -> Handle | None:
        """The folder says which run it belongs to; `poll` tells whether that one has ended meanwhile."""
        wanted = RunFiles(job_dir).wanted()
        if not wanted:
            return None
        if job_dir not in self._watched:
            self._watched[job_dir] = _Watch(wanted["run"])
            self._room.hold(job_dir, wanted["run"], Need(kind=self._kind, count=_leased(job_dir)))
        return Handle(
            job_dir=job_dir, pid=wanted["number"], started_s=recorded.started_s if recorded else 0.0
        )

    def poll(self, handle: Handle) -> Ended | None:
        """Read it from the folder, and ask the cluster about a run that is silent."""
        watch, files = self._watched[handle.job_dir], RunFiles(handle.job_dir)
        ended = files.ended(watch.run)
        if ended is None and not self._is_silent(watch, files):
            return None
        if ended is None and self._goes_on(handle.job_dir, watch):
            return None
        return self._forget(handle.job_dir, files.ended(watch.run) or Ended(code=None))

    def cancel(self, handle: Handle) -> None:
        """Ask the guard, which is polite and then sure; then Ray, should the guard not have heard."""
        watch, files = self._watched[handle.job_dir], RunFiles(handle.job_dir)
        files.ask_to_stop(watch.run)
        if files.beat_of(watch.run) is None:
            self._stop_before_it_begins(watch.run)
        elif not _within(self._patience.polite_s + 1, lambda: files.ended(watch.run) is not None):
            self._stop_surely(watch.run)
        if files.ended(watch.run) is None:
            files.end(watch.run, None)

    def _stop_surely(self, run: str) -> None:
        """Where Ray does not answer either, the guard that is out of reach ends the run when it sees the folder."""
        try:
            self._cluster.stop(run)
            if _within(_SURE_END_S, lambda: self._cluster.status(run) in (None, "ended")):
                return
        except ClusterAway:
            logger.warning("cluster away", extra={"run": run})
        logger.warning("run may outlive its end", extra={"run": run})

    def strays(self, jobs_dir: Path) -> list[Path]:  # noqa: ARG002 - the protocol's
        """None: whichever worker a run came from, its guard ends it when its folder belongs to another."""
        return []

    def _stop_before_it_begins(self, run: str) -> None:
        """Its guard would find that it shall stop, so an answer of Ray is not needed."""
        try:
            self._cluster.stop(run)
        except ClusterAway:
            logger.warning("cluster away", extra={"run": run})

    def _is_silent(self, watch: _Watch, files: RunFiles) -> bool:
        """True when the guard has not been heard for long, or never."""
        beat, now_s = files.beat_of(watch.run), time.monotonic()
        if beat != watch.beat:
            watch.beat, watch.heard_s = beat, now_s
        return not watch.has_begun or now_s - watch.heard_s > self._patience.silent_s

    def _goes_on(self, job_dir: Path, watch: _Watch) -> bool:
        """Ask the cluster about a silent run. One that never reached it is submitted now, under the same name."""
        if time.monotonic() - watch.asked_s < _ASK_S:
            return True
        status = self._cluster.status(watch.run)
        watch.asked_s = time.monotonic()
        if status == "pending":
            return self._has_patience(job_dir, watch)
        if status is None and not watch.has_begun:
            self._submit_if_room(job_dir)
            return True
        if status == "ended" and RunFiles(job_dir).ended(watch.run) is None:
            self._keep_log(job_dir, watch.run)
        return status == "running"

    def _has_patience(self, job_dir: Path, watch: _Watch) -> bool:
        """Withdraw a run that waits for its place too long; it is submitted again when there is room."""
        now_s = time.monotonic()
        watch.pending_since_s = watch.pending_since_s or now_s
        if now_s - watch.pending_since_s > self._patience.pending_s:
            files = RunFiles(job_dir)
            wanted = files.wanted()
            number = wanted["number"] + 1
            run = f"shortlist-{job_dir.name}-{number}-{wanted['token']}"
            files.want(**wanted | {"run": run, "number": number})
            logger.warning("run withdrawn", extra={"run": watch.run, "next": run})
            self._cluster.stop(watch.run)
            self._watched[job_dir] = _Watch(run)
            self._room.give_up(job_dir)
        return True

    def _submit_if_room(self, job_dir: Path) -> None:
        need = Need(kind=self._kind, count=_leased(job_dir))
        if not self._room.take(job_dir, need):
            return
        wanted = RunFiles(job_dir).wanted()
        recipe: Recipe = wanted["recipe"]
        program = [self._python, *self._recipes[recipe][1:]]  # the first is the interpreter of this machine
        guard = [self._python, *_GUARD, "--run", wanted["run"], "--recipe", recipe]
        guard += ["--polite-s", str(self._patience.polite_s)]
        guard += [part for name in wanted["keys"] for part in ("--key", name)]
        command = [*guard, "--", *program, str(job_dir)]
        self._cluster.submit(wanted["run"], command, need)
        self._room.hold(job_dir, wanted["run"], need)
        logger.info("run submitted", extra={"run": wanted["run"]})

    def _keep_log(self, job_dir: Path, run: str) -> None:
        """What the cluster says about a run that came to no end belongs into the log that people read."""
        with (job_dir / "log.txt").open("a", encoding="utf-8") as log:
            log.write(self._cluster.log(run))

    def _forget(self, job_dir: Path, ended: Ended) -> Ended:
        del self._watched[job_dir]
        self._room.release(job_dir)
        return ended


def _leased(job_dir: Path) -> int:
    """How many devices the worker leased for this run, as it laid it into the folder."""
    path = job_dir / "context.json"
    context = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return int(context.get("devices", 1))


def _within(seconds: float, is_done: Callable[[], bool]) -> bool:
    """Wait until it is done, at most so long."""
    deadline_s = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(_LOOK_S)
    return True
