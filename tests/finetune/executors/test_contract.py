"""What every executor keeps, wherever it runs recipes. A new one is added to `conftest.place`."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import psutil
import pytest

from finetune.executors.base import Ended, Executor, Handle
from tests.finetune.executors.places import Place

SAY_READY = """
import os, signal, subprocess, sys
from pathlib import Path
folder = Path(sys.argv[1])
def ready(*pids):
    (folder / "ready").write_text(" ".join(str(pid) for pid in pids))
"""
WAIT = SAY_READY + "ready(os.getpid()); signal.pause()"
WAIT_FOR_THE_GATE = (
    SAY_READY
    + """
import time
ready(os.getpid())
while not (folder / "gate").exists():
    time.sleep(0.02)
(folder / "result.json").write_text('{"candidates": []}')
"""
)
SAY_GOODBYE = (
    SAY_READY
    + """
def leave(*_):
    (folder / "goodbye").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, leave)
ready(os.getpid())
while True:
    signal.pause()
"""
)
STUBBORN_FAMILY = (
    SAY_READY
    + """
deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
def child(**how):
    process = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE, **how)
    process.stdout.readline()
    return process.pid
signal.signal(signal.SIGTERM, signal.SIG_IGN)
ready(os.getpid(), child(), child(start_new_session=True))
signal.pause()
"""
)
LEAVE_A_CHILD = (
    SAY_READY + 'ready(subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]).pid)'
)
TELL_ENVIRONMENT = SAY_READY + (
    'import json; (folder / "environment.json").write_text(json.dumps(dict(os.environ)))'
)


def end_of(executor: Executor, handle: Handle) -> Ended:
    """Poll as a worker does."""
    while (ended := executor.poll(handle)) is None:
        threading.Event().wait(0.05)
    return ended


def ready_pids(job_dir: Path) -> list[int]:
    """Wait until the recipe has written into the pipe."""
    return [int(pid) for pid in (job_dir / "ready").read_text().split()]


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_the_code_and_the_output_of_a_run_are_kept(place: Place, job_dir: Path) -> None:
    executor = place.executor("import sys; print('a word', flush=True); sys.exit(3)")

    ended = end_of(executor, executor.start(job_dir, "evaluation"))

    assert (ended, ended.was_cut_off) == (Ended(code=3), False)
    assert (job_dir / "log.txt").read_text() == "a word\n"


def test_a_run_that_ended_well_leaves_its_result(place: Place, job_dir: Path) -> None:
    executor = place.executor(WAIT_FOR_THE_GATE)
    handle = executor.start(job_dir, "evaluation")
    ready_pids(job_dir)
    assert executor.poll(handle) is None

    (job_dir / "gate").touch()

    assert end_of(executor, handle) == Ended(code=0)
    assert json.loads((job_dir / "result.json").read_text()) == {"candidates": []}


def test_a_killed_recipe_counts_as_cut_off(place: Place, job_dir: Path) -> None:
    executor = place.executor(WAIT)
    handle = executor.start(job_dir, "evaluation")
    os.kill(ready_pids(job_dir)[0], signal.SIGKILL)

    ended = end_of(executor, handle)

    assert ended == Ended(code=-signal.SIGKILL)
    assert ended.was_cut_off


def test_a_second_attempt_runs_on_the_same_folder(place: Place, job_dir: Path) -> None:
    executor = place.executor(WAIT)
    handle = executor.start(job_dir, "evaluation")
    os.kill(ready_pids(job_dir)[0], signal.SIGKILL)
    end_of(executor, handle)

    again = place.executor(WAIT_FOR_THE_GATE)
    handle = again.start(job_dir, "evaluation")
    ready_pids(job_dir)
    assert again.poll(handle) is None
    (job_dir / "gate").touch()

    assert end_of(again, handle) == Ended(code=0)


def test_the_next_worker_finds_the_run_with_or_without_a_record(place: Place, job_dir: Path) -> None:
    first = place.executor(WAIT_FOR_THE_GATE)
    handle = first.start(job_dir, "evaluation")
    ready_pids(job_dir)

    for recorded in (handle, None):
        successor = place.executor("")
        found = successor.adopt(job_dir, recorded)
        assert found is not None
        assert found.pid == handle.pid
        assert successor.poll(found) is None
    (job_dir / "gate").touch()
    end_of(successor, found)

    assert (job_dir / "result.json").exists()
    assert end_of(first, handle) == Ended(code=0)


def test_nothing_is_found_where_nothing_was_started(place: Place, job_dir: Path) -> None:
    assert place.executor("").adopt(job_dir, None) is None


def test_what_is_found_after_its_end_has_ended(place: Place, job_dir: Path) -> None:
    first, successor = place.executor(""), place.executor("")
    handle = first.start(job_dir, "evaluation")
    end_of(first, handle)

    found = successor.adopt(job_dir, handle)

    assert found is None or successor.poll(found) is not None


def test_a_recipe_may_say_goodbye_when_it_is_cancelled(place: Place, job_dir: Path) -> None:
    executor = place.executor(SAY_GOODBYE)
    handle = executor.start(job_dir, "evaluation")
    [pid] = ready_pids(job_dir)

    executor.cancel(handle)

    assert (job_dir / "goodbye").exists()
    assert not lives(pid)
    assert end_of(executor, handle) is not None


def test_what_does_not_listen_is_ended_surely_with_all_that_it_started(place: Place, job_dir: Path) -> None:
    executor = place.executor(STUBBORN_FAMILY)
    handle = executor.start(job_dir, "evaluation")
    family = ready_pids(job_dir)
    assert [lives(pid) for pid in family] == [True, True, True]

    executor.cancel(handle)

    assert [lives(pid) for pid in family] == [False, False, False]
    assert end_of(executor, handle).was_cut_off


def test_the_next_worker_can_cancel_what_it_found(place: Place, job_dir: Path) -> None:
    first, successor = place.executor(WAIT), place.executor("")
    handle = first.start(job_dir, "evaluation")
    [pid] = ready_pids(job_dir)
    found = successor.adopt(job_dir, handle)
    assert found is not None

    successor.cancel(found)

    assert not lives(pid)
    assert end_of(successor, found).was_cut_off
    assert end_of(first, handle).was_cut_off


def test_cancelling_twice_is_the_same_as_once(place: Place, job_dir: Path) -> None:
    executor = place.executor(WAIT)
    handle = executor.start(job_dir, "evaluation")
    ready_pids(job_dir)

    executor.cancel(handle)
    executor.cancel(handle)

    assert end_of(executor, handle).was_cut_off


def test_what_a_run_leaves_behind_is_ended_with_it(place: Place, job_dir: Path) -> None:
    executor = place.executor(LEAVE_A_CHILD)
    handle = executor.start(job_dir, "evaluation")
    [left] = ready_pids(job_dir)

    assert end_of(executor, handle) == Ended(code=0)
    assert not lives(left)


def test_a_recipe_sees_no_secret_of_whoever_started_it(
    place: Place, job_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf-secret")
    executor = place.executor(TELL_ENVIRONMENT)
    end_of(executor, executor.start(job_dir, "evaluation"))

    told = json.loads((job_dir / "environment.json").read_text())
    assert "PATH" in told
    assert not {"SLACK_BOT_TOKEN", "HF_TOKEN"} & set(told)


def test_two_folders_do_not_disturb_each_other(place: Place, job_dir: Path) -> None:
    other = job_dir.with_name("8")
    other.mkdir()
    os.mkfifo(other / "ready")
    executor = place.executor(WAIT_FOR_THE_GATE)
    first, second = executor.start(job_dir, "evaluation"), executor.start(other, "evaluation")
    ready_pids(job_dir), ready_pids(other)

    executor.cancel(first)
    assert end_of(executor, first).was_cut_off
    assert executor.poll(second) is None
    (other / "gate").touch()

    assert end_of(executor, second) == Ended(code=0)
