"""Processes of this machine -> those that belong to one run, by its mark or its session; and their end.

Every process of a run carries its job folder in the environment. That mark finds an orphan whose number was
never recorded and a grandchild that left the process group, and it cannot belong to another process that
was given the same number.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil

logger = logging.getLogger(__name__)

MARK = "SHORTLIST_JOB_DIR"
_CLOCK_SLACK_S = 1.0
_SURE_END_S = 5.0
_LOOK_S = 0.05


def known_process(pid: int, started_s: float) -> psutil.Process | None:
    """The process of that number, unless the number belongs to another one by now, or to none."""
    try:
        process = psutil.Process(pid)
        same_start = abs(process.create_time() - started_s) <= _CLOCK_SLACK_S
    except psutil.Error:
        return None
    return process if same_start and is_alive(process) else None


def session_leader(job_dir: Path) -> psutil.Process | None:
    """The main process of the run, by the mark: the oldest one that leads a session."""
    leaders = [process for process in members(job_dir, None) if _session(process) == process.pid]
    return min(leaders, key=lambda process: process.create_time(), default=None)


def members(job_dir: Path, session: int | None) -> list[psutil.Process]:
    """Every living process of the run: by its mark, or by the session of its main process."""
    return [
        process
        for process in psutil.process_iter()
        if is_alive(process) and (mark(process) == str(job_dir) or _session(process) == (session or -1))
    ]


def mark(process: psutil.Process) -> str | None:
    """The job folder that a process is marked with."""
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def is_alive(process: psutil.Process) -> bool:
    """False for a zombie too: it has ended and nobody has asked how."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def end(
    job_dir: Path, *, session: int, polite_s: float, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """SIGTERM to every process of the run, and SIGKILL to those that are still there later."""
    for process in members(job_dir, session):
        _signal(process, polite=True)
    deadline_s = time.monotonic() + polite_s
    while members(job_dir, session) and time.monotonic() < deadline_s:
        meanwhile()
        time.sleep(_LOOK_S)
    kill(job_dir, session=session)


def kill(job_dir: Path, *, session: int | None) -> None:
    """Kill every process of the run, and look again until none is left (they may start new ones)."""
    deadline_s = time.monotonic() + _SURE_END_S
    while (left := members(job_dir, session)) and time.monotonic() < deadline_s:
        for process in left:
            _signal(process, polite=False)
        time.sleep(0.02)
    if left:
        logger.warning("processes outlive SIGKILL", extra={"pids": [process.pid for process in left]})


def resident_bytes(process: psutil.Process) -> int:
    """Memory of a process and what it started. Pages that they share count for each: too much, never too little."""
    total = 0
    try:
        for member in (process, *process.children(recursive=True)):
            total += member.memory_info().rss
    except psutil.Error:
        return total
    return total


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def _signal(process: psutil.Process, *, polite: bool) -> None:
    try:
        process.terminate() if polite else process.kill()
    except psutil.Error:
        logger.debug("process was gone already", extra={"pid": process.pid})
