"""A run on this machine -> its end, when no worker of this machine looks after it any more.

    python -m finetune.executors.watchdog --run RUN --pid PID --started-s S --alone-s N --polite-s M JOB_DIR

Where machines share a store, the jobs of a dead worker are begun anew by others, who cannot end what runs here.
So each run has a watchdog, which outlives the worker. It ends the run when no worker has kept it for `alone_s`,
which is less than it takes another machine to believe that the worker is dead. Files in the job's folder:

run.here    which run the folder belongs to; the watchdog of another one ends that one at once.
kept.RUN    its time of change moves while a worker of this machine has the run in hand.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from finetune.atomic import write_text
from finetune.executors.base import Handle
from finetune.executors.processes import end, known_process

_LOOK_S = 0.5
_KEEP_S = 1.0


class Keeper:
    """The worker's side: says that it lives to the watchdogs of its runs, and starts one for each."""

    def __init__(self, *, alone_s: float, polite_s: float, environment: Mapping[str, str]) -> None:
        self._alone_s = alone_s
        self._polite_s = polite_s
        self._environment = dict(environment)
        self._kept: dict[Path, Path] = {}
        self._watchdogs: dict[Path, subprocess.Popen[bytes]] = {}
        self._thread: threading.Thread | None = None

    def prepare(self, job_dir: Path) -> None:
        """Make the folder belong to the run that is about to start. Before it does: the disk may be full."""
        run = uuid.uuid4().hex
        write_text(job_dir / "run.here", run)
        _kept_by(job_dir, run).touch()

    def guard(self, handle: Handle) -> None:
        """Give a run that was just started a watchdog, and look after it."""
        arguments = ["--run", str(_run_of(handle.job_dir)), "--pid", str(handle.pid)]
        arguments += ["--started-s", repr(handle.started_s)]
        arguments += ["--alone-s", str(self._alone_s), "--polite-s", str(self._polite_s)]
        with (handle.job_dir / "log.txt").open("ab") as log:
            self._watchdogs[handle.job_dir] = subprocess.Popen(
                [sys.executable, "-m", "finetune.executors.watchdog", *arguments, str(handle.job_dir)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.keep(handle.job_dir)

    def keep(self, job_dir: Path) -> None:
        """Look after a run from now on; the watchdog of one that was adopted is there already."""
        if run := _run_of(job_dir):
            self._kept[job_dir] = _kept_by(job_dir, run)
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep_all, name="keeper", daemon=True)
            self._thread.start()

    def let_go(self, job_dir: Path) -> None:
        """The run has ended, and its watchdog with it."""
        if (kept := self._kept.pop(job_dir, None)) is not None:
            kept.unlink(missing_ok=True)
        if (watchdog := self._watchdogs.pop(job_dir, None)) is not None:
            watchdog.kill()
            watchdog.wait()

    def _keep_all(self) -> None:
        while True:
            for kept in list(self._kept.values()):
                _touch(kept)
            time.sleep(min(_KEEP_S, self._alone_s / 5))


def main(arguments: Sequence[str] | None = None) -> int:
    """Watch until the run has ended, by itself or by us."""
    parser = argparse.ArgumentParser(prog="python -m finetune.executors.watchdog")
    parser.add_argument("--run", required=True, help="name of this run, as in run.here")
    parser.add_argument("--pid", type=int, required=True, help="its main process, which leads a session")
    parser.add_argument("--started-s", type=float, required=True, help="when that started")
    parser.add_argument("--alone-s", type=float, required=True, help="so long it may run without a worker")
    parser.add_argument("--polite-s", type=float, required=True, help="time between SIGTERM and SIGKILL")
    parser.add_argument("job_dir", type=Path)
    given = parser.parse_args(arguments)
    kept = _kept_by(given.job_dir, given.run)
    why = _reason_to_end(given, kept)
    if why is not None:
        print(why, flush=True)  # noqa: T201 - into the log of the job
        end(given.job_dir, session=given.pid, polite_s=given.polite_s)
    kept.unlink(missing_ok=True)
    return 0


def _reason_to_end(given: argparse.Namespace, kept: Path) -> str | None:
    """Wait for one; None when the run has ended before there was any.

    Silence is counted by looks: a machine that slept must not take its own sleep for the worker's.
    """
    heard, silent_s = _changed_at(kept), 0.0
    while known_process(given.pid, given.started_s) is not None:
        if _run_of(given.job_dir) not in {given.run, None}:
            return "This run was ended, because the job was begun anew elsewhere."
        now = _changed_at(kept)
        silent_s = silent_s + _LOOK_S if now == heard else 0.0
        heard = now
        if silent_s >= given.alone_s:
            return f"This run was ended, because its worker has been gone for {given.alone_s:.0f} s."
        time.sleep(_LOOK_S)
    return None


def _kept_by(job_dir: Path, run: str) -> Path:
    return job_dir / f"kept.{run}"


def _run_of(job_dir: Path) -> str | None:
    """The run that the folder belongs to; None where that cannot be read."""
    try:
        return (job_dir / "run.here").read_text(encoding="ascii") or None
    except OSError:
        return None


def _changed_at(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _touch(path: Path) -> None:
    """Needs no room on the disk, unlike writing. One that cannot be touched now may be at the next time."""
    try:
        os.utime(path)
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main())
