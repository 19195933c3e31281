"""A run on a machine of a cluster -> files in its job folder that tell of it, and its end when it is asked for.

    python -m finetune.executors.guard --run RUN --recipe RECIPE --polite-s SECONDS -- COMMAND ... JOB_DIR

The cluster starts this guard, the guard starts the recipe. What the worker has to know it reads from the
folder, which both see, so a cluster that does not answer for a while takes nothing away:

run.json    which run the folder belongs to, written by the worker. Another name in it ends this run.
beat.json   written by the guard every second: the run lives.
stop        holds the name of a run that shall end politely.
exit.json   how the run ended.

It ends what it started when it is told to, when its run is not wanted any more, and when the process that
started it is gone, as a cluster's may leave its jobs behind.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from finetune.atomic import write_text
from finetune.executors.base import Ended, Handle, Recipe
from finetune.executors.local import LocalExecutor, own_environment
from finetune.providers import provider_keys

_LOOK_S = 0.25
_BEAT_S = 1.0


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of a folder through which worker and guard speak."""

    job_dir: Path

    def wanted(self) -> dict[str, Any]:
        """The run that the folder belongs to; empty while it belongs to none."""
        return _read(self.job_dir / "run.json")

    def want(self, **fields: Any) -> None:
        """Make the folder belong to a run."""
        write_text(self.job_dir / "run.json", json.dumps(fields))

    def beat_of(self, run: str) -> int | None:
        """How often the guard of this run has said that it lives; None before the first time."""
        beat = _read(self.job_dir / "beat.json")
        return int(beat["beat"]) if beat.get("run") == run else None

    def beat(self, run: str, count: int) -> None:
        """Say that the run lives."""
        where = {"host": socket.gethostname(), "pid": os.getpid()}
        write_text(self.job_dir / "beat.json", json.dumps({"run": run, "beat": count, **where}))

    def ended(self, run: str) -> Ended | None:
        """How the run ended; None while nobody has written it down."""
        told = _read(self.job_dir / "exit.json")
        return Ended(code=told["code"]) if told.get("run") == run else None

    def end(self, run: str, code: int | None) -> None:
        """Write down how the run ended; None for a code that says nothing."""
        write_text(self.job_dir / "exit.json", json.dumps({"run": run, "code": code}))

    def ask_to_stop(self, run: str) -> None:
        """Ask the guard of this run to end it."""
        write_text(self.job_dir / "stop", run)

    def is_asked_to_stop(self, run: str) -> bool:
        """True once somebody asked for the end of this run."""
        try:
            return (self.job_dir / "stop").read_text(encoding="utf-8") == run
        except OSError:
            return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command until it ends by itself or has to."""
    parser = argparse.ArgumentParser(prog="python -m finetune.executors.guard")
    parser.add_argument("--run", required=True, help="name of this run, as in run.json")
    parser.add_argument("--recipe", required=True, choices=("evaluation", "tuning"))
    parser.add_argument("--polite-s", type=float, required=True, help="time between SIGTERM and SIGKILL")
    parser.add_argument(
        "--key", action="append", default=[], help="variable of this machine that the run gets"
    )
    parser.add_argument("command", nargs="+", help="command and job folder")
    given = parser.parse_args(arguments)
    _leave_group()
    *command, folder = given.command
    tied = (sys.executable, "-m", "finetune.executors.tied", *command)
    environment = own_environment()
    local = LocalExecutor(
        environment=environment,
        recipes={given.recipe: tied},
        polite_s=given.polite_s,
        keys=provider_keys(environment),
    )
    with FileLock(_lock_path(folder)):
        return _Guard(local, given.run, given.recipe, Path(folder), given.key).watch()


def _leave_group() -> None:
    """Go on in a session of one's own, under a process that stays.

    A cluster that loses a node kills the group of what it started: this one has to outlive that by the seconds
    that it takes to end the recipe with all its children. What stays tells by its end that it is time to.
    """
    guard = os.fork()
    if guard == 0:
        os.setsid()
        return
    signal.signal(signal.SIGTERM, lambda *_: os.kill(guard, signal.SIGTERM))
    _, status = os.waitpid(guard, 0)
    os._exit(abs(os.waitstatus_to_exitcode(status)))


def _lock_path(folder: str) -> Path:
    """One guard at a time sees to a folder on one machine: the end of one would end the recipe of the other."""
    name = hashlib.sha256(folder.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"shortlist-{name}.lock"


class _Guard:
    """One run, from its start to its end."""

    def __init__(
        self, local: LocalExecutor, run: str, recipe: Recipe, job_dir: Path, key_names: Sequence[str]
    ) -> None:
        self._local = local
        self._run = run
        self._recipe = recipe
        self._job_dir = job_dir
        self._key_names = key_names
        self._files = RunFiles(job_dir)
        self._parent = os.getppid()
        self._is_told = False
        self._is_ended_by_us = False
        """Its code says nothing then about the recipe."""

    def watch(self) -> int:
        """Start the recipe and stay until it ended; a run that is not wanted is not begun."""
        if not self._may_go_on():
            return 0
        signal.signal(signal.SIGTERM, self._be_told)
        self._files.beat(self._run, 0)
        if (orphan := self._local.adopt(self._job_dir, None)) is not None:
            self._local.cancel(orphan)
            self._local.poll(orphan)
        code = self._follow(self._local.start(self._job_dir, self._recipe, self._key_names)).code
        self._files.end(self._run, None if self._is_ended_by_us else code)
        return 0 if code == 0 else 1

    def _follow(self, handle: Handle) -> Ended:
        began_s, beats = time.monotonic(), 0
        while (ended := self._local.poll(handle)) is None:
            if self._is_told or not self._may_go_on():
                self._is_ended_by_us = True
                self._local.cancel(handle)
                continue
            if time.monotonic() - began_s >= (beats + 1) * _BEAT_S:
                beats += 1
                self._beat(beats)
            time.sleep(_LOOK_S)
        return ended

    def _beat(self, count: int) -> None:
        """A storage that is away for a moment is no reason to end the run."""
        try:
            self._files.beat(self._run, count)
        except OSError as error:
            print(f"no beat: {error}", file=sys.stderr)  # noqa: T201 - the cluster keeps it as the run's log

    def _may_go_on(self) -> bool:
        has_parent = os.getppid() == self._parent
        return has_parent and self._is_wanted() and not self._files.is_asked_to_stop(self._run)

    def _is_wanted(self) -> bool:
        try:
            return self._files.wanted().get("run") == self._run
        except OSError:
            return True

    def _be_told(self, *_: object) -> None:
        self._is_told = True


def _read(path: Path) -> dict[str, Any]:
    """Read a file that appears whole; empty while it is not there."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


if __name__ == "__main__":
    sys.exit(main())
