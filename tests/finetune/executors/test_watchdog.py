"""A run that no worker of its machine looks after ends by itself; one that is looked after does not."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil

from finetune.executors.base import Handle
from finetune.executors.local import LocalExecutor
from tests.finetune.executors.places import ROOT

WORK_FOR = "import pathlib, time; time.sleep({}); pathlib.Path('done').touch()"
DIE_WITH_A_RUN = """
import os, pathlib, sys
from finetune.executors.local import LocalExecutor
code, folder, alone_s = sys.argv[1:]
recipes = {"tuning": (sys.executable, "-c", code)}
local = LocalExecutor(environment=os.environ, recipes=recipes, alone_s=float(alone_s))
handle = local.start(pathlib.Path(folder), "tuning")
print(handle.pid, handle.started_s, flush=True)
os.kill(os.getpid(), 9)
"""


def executor(alone_s: float, code: str = "") -> LocalExecutor:
    return LocalExecutor(environment={}, recipes={"tuning": (sys.executable, "-c", code)}, alone_s=alone_s)


def started_by_one_who_died(folder: Path, *, works_s: float, alone_s: float) -> Handle:
    command = [sys.executable, "-c", DIE_WITH_A_RUN, WORK_FOR.format(works_s), str(folder), str(alone_s)]
    told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False).stdout
    pid, started_s = told.split()
    return Handle(job_dir=folder, pid=int(pid), started_s=float(started_s))


def await_end(handle: Handle) -> None:
    while psutil.pid_exists(handle.pid) and psutil.Process(handle.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.05)


def test_a_run_ends_when_its_worker_is_gone_and_nobody_adopts_it(tmp_path: Path) -> None:
    await_end(started_by_one_who_died(tmp_path, works_s=60, alone_s=1))

    assert not (tmp_path / "done").exists()
    assert "its worker has been gone for 1 s" in (tmp_path / "log.txt").read_text()


def test_a_run_that_another_worker_of_the_machine_adopts_goes_on(tmp_path: Path) -> None:
    handle, successor = started_by_one_who_died(tmp_path, works_s=4, alone_s=2), executor(2.0)

    assert successor.adopt(tmp_path, handle) == handle
    await_end(handle)
    successor.poll(handle)

    assert (tmp_path / "done").exists()
    assert list(tmp_path.glob("kept.*")) == []


def test_a_run_ends_when_its_folder_belongs_to_another(tmp_path: Path) -> None:
    local = executor(600.0, "import signal; signal.pause()")
    handle = local.start(tmp_path, "tuning")
    (tmp_path / "run.here").write_text("another machine's")

    await_end(handle)

    assert "begun anew elsewhere" in (tmp_path / "log.txt").read_text()
    assert local.poll(handle) is not None


def test_the_watchdog_of_a_run_that_has_ended_is_gone_too(tmp_path: Path) -> None:
    local = executor(600.0)
    handle = local.start(tmp_path, "tuning")
    while local.poll(handle) is None:
        time.sleep(0.05)

    assert [child for child in psutil.Process().children() if str(tmp_path) in child.cmdline()] == []


def test_where_nobody_could_take_over_nothing_is_guarded(tmp_path: Path) -> None:
    local = LocalExecutor(environment={}, recipes={"tuning": (sys.executable, "-c", "")})
    handle = local.start(tmp_path, "tuning")
    while local.poll(handle) is None:
        time.sleep(0.05)

    assert [path.name for path in tmp_path.iterdir()] == ["log.txt"]
