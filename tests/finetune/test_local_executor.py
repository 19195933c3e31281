"""The local executor on real processes: start, find again, end with all that belongs to it."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from finetune.executors.base import Ended, Handle
from finetune.executors.local import LocalExecutor, child_environment, trim_log

SAY_READY = """
import os, sys
def ready(*pids):
    with open("ready", "w") as pipe:
        pipe.write(" ".join(str(pid) for pid in pids))
"""
END_AT_ONCE = "import sys; print('a word', flush=True); sys.exit(3)"
WAIT = SAY_READY + "import signal; ready(os.getpid()); signal.pause()"
STUBBORN_FAMILY = (
    SAY_READY
    + """
import signal, subprocess
deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
def child(**how):
    process = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE, **how)
    process.stdout.readline()
    return process.pid
signal.signal(signal.SIGTERM, signal.SIG_IGN)
ready(os.getpid(), child(), child(start_new_session=True), child(env={}))
signal.pause()
"""
)
LEAVE_A_CHILD = (
    SAY_READY
    + """
import subprocess
ready(subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]).pid)
"""
)
TELL_ENVIRONMENT = "import json, os; open('environment', 'w').write(json.dumps(dict(os.environ)))"


@pytest.fixture
def job_dir(tmp_path: Path) -> Iterator[Path]:
    os.mkfifo(tmp_path / "ready")
    yield tmp_path
    sweeper = executor("")
    if handle := sweeper.adopt(tmp_path, None):
        sweeper.cancel(handle)


def executor(
    code: str,
    environment: Mapping[str, str] = os.environ,
    polite_s: float = 8.0,
    memory_gib: float | None = None,
) -> LocalExecutor:
    command = (sys.executable, "-c", code)
    recipes = {"evaluation": command, "tuning": command}
    return LocalExecutor(environment=environment, recipes=recipes, polite_s=polite_s, memory_gib=memory_gib)


def ready_pids(job_dir: Path) -> list[int]:
    """Wait until the recipe has written into the pipe."""
    return [int(pid) for pid in (job_dir / "ready").read_text().split()]


def await_end(handle: Handle) -> None:
    """Wait for the end of a child without asking how it ended, which is the executor's to do."""
    os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_exit_code_and_output_are_kept(job_dir: Path) -> None:
    local = executor(END_AT_ONCE)
    handle = local.start(job_dir, "evaluation")
    await_end(handle)

    assert local.poll(handle) == Ended(code=3)
    assert (job_dir / "log.txt").read_text() == "a word\n"


def test_a_signal_is_told_and_counts_as_cut_off(job_dir: Path) -> None:
    local = executor(WAIT)
    handle = local.start(job_dir, "evaluation")
    ready_pids(job_dir)
    assert local.poll(handle) is None
    os.kill(handle.pid, signal.SIGKILL)
    await_end(handle)

    ended = local.poll(handle)

    assert ended == Ended(code=-signal.SIGKILL)
    assert ended.was_cut_off


def test_another_executor_adopts_what_was_recorded(job_dir: Path) -> None:
    first, successor = executor(WAIT), executor("")
    handle = first.start(job_dir, "evaluation")
    ready_pids(job_dir)

    assert successor.adopt(job_dir, handle) == handle
    assert successor.poll(handle) is None
    successor.cancel(handle)
    assert successor.poll(handle) == Ended(code=None)
    assert first.poll(handle) == Ended(code=-signal.SIGTERM)


def test_a_run_that_nobody_recorded_is_found_by_its_mark(job_dir: Path) -> None:
    first, successor = executor(WAIT), executor("")
    handle = first.start(job_dir, "evaluation")
    ready_pids(job_dir)

    assert successor.adopt(job_dir, None) == handle
    successor.cancel(handle)
    assert first.poll(handle) == Ended(code=-signal.SIGTERM)


def test_a_number_that_was_given_out_again_is_not_adopted(job_dir: Path) -> None:
    recycled = Handle(job_dir=job_dir, pid=os.getpid(), started_s=psutil.Process().create_time() - 60)

    assert executor("").adopt(job_dir, recycled) is None


def test_nothing_is_adopted_where_nothing_runs(job_dir: Path) -> None:
    assert executor("").adopt(job_dir, None) is None


def test_cancel_ends_even_what_ignores_sigterm_or_has_left_the_group(job_dir: Path) -> None:
    local = executor(STUBBORN_FAMILY, polite_s=0.1)
    handle = local.start(job_dir, "evaluation")
    family = ready_pids(job_dir)
    assert [lives(pid) for pid in family] == [True, True, True, True]

    local.cancel(handle)

    assert [lives(pid) for pid in family] == [False, False, False, False]
    assert local.poll(handle) == Ended(code=-signal.SIGKILL)


def test_what_a_run_leaves_behind_is_ended_with_it(job_dir: Path) -> None:
    local = executor(LEAVE_A_CHILD)
    handle = local.start(job_dir, "evaluation")
    [left] = ready_pids(job_dir)
    await_end(handle)
    assert lives(left)

    assert local.poll(handle) == Ended(code=0)
    assert not lives(left)


def test_what_a_run_left_behind_is_ended_before_its_folder_counts_as_free(job_dir: Path) -> None:
    first, successor = executor(LEAVE_A_CHILD), executor("")
    handle = first.start(job_dir, "evaluation")
    [left] = ready_pids(job_dir)
    await_end(handle)

    assert successor.adopt(job_dir, handle) is None
    assert not lives(left)
    assert first.poll(handle) == Ended(code=0)


def test_a_recipe_gets_what_it_needs_and_no_secret(job_dir: Path) -> None:
    needed = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HF_HOME": "/models",
        "CUDA_VISIBLE_DEVICES": "1",
    }
    secrets = {
        "SLACK_BOT_TOKEN": "x", "HF_TOKEN": "x", "OPENAI_API_KEY": "x", "AWS_SECRET_ACCESS_KEY": "x",
        "SHORTLIST_DATABASE_URL": "x", "PGPASSWORD": "x", "CUDA_API_TOKEN": "x",
    }  # fmt: skip
    local = executor(TELL_ENVIRONMENT, needed | secrets)
    handle = local.start(job_dir, "evaluation")
    await_end(handle)

    told = json.loads((job_dir / "environment").read_text())
    assert local.poll(handle) == Ended(code=0)
    assert {name: told.get(name) for name in needed} == needed
    assert "x" not in told.values()


@pytest.mark.parametrize(("leased", "seen"), [("2,3", "2,3"), ("", ""), (None, "1")])
def test_a_recipe_sees_the_devices_of_its_lease_and_no_others(
    job_dir: Path, leased: str | None, seen: str
) -> None:
    (job_dir / "context.json").write_text(json.dumps({"visible_devices": leased}))
    local = executor(TELL_ENVIRONMENT, {**os.environ, "CUDA_VISIBLE_DEVICES": "1"})
    handle = local.start(job_dir, "evaluation")
    await_end(handle)

    assert local.poll(handle) == Ended(code=0)
    assert json.loads((job_dir / "environment").read_text())["CUDA_VISIBLE_DEVICES"] == seen


def test_a_recipe_that_takes_too_much_memory_is_ended_with_a_reason(job_dir: Path) -> None:
    (job_dir / "context.json").write_text(json.dumps({"visible_devices": "0"}))
    local = executor(WAIT, memory_gib=0.001)
    handle = local.start(job_dir, "evaluation")
    ready_pids(job_dir)

    assert local.poll(handle) is None
    ended = local.poll(handle)

    assert ended is not None
    assert not ended.was_cut_off, "another attempt would go the same way"
    assert ended.reason is not None
    assert "GiB of main memory" in ended.reason.en
    assert "内存" in ended.reason.zh


TAKE_A_GIB_ONCE_LIMITED = """
import resource, time
for _ in range(1000):
    if resource.getrlimit(resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY:
        break
    time.sleep(0.01)
bytes(2**30)
"""


def test_without_a_gpu_the_kernel_refuses_memory_beyond_the_limit(job_dir: Path) -> None:
    (job_dir / "context.json").write_text(json.dumps({"visible_devices": ""}))
    local = executor(TAKE_A_GIB_ONCE_LIMITED, memory_gib=0.5)
    handle = local.start(job_dir, "evaluation")
    await_end(handle)

    assert local.poll(handle) == Ended(code=1)
    assert "MemoryError" in (job_dir / "log.txt").read_text()


def test_runs_of_a_home_are_found_whoever_started_them(job_dir: Path) -> None:
    first, other = executor(WAIT), executor("")
    handle = first.start(job_dir, "evaluation")
    ready_pids(job_dir)

    assert other.strays(job_dir.parent) == [job_dir]
    assert other.strays(job_dir.parent / "elsewhere") == []
    first.cancel(handle)
    assert first.poll(handle) is not None
    assert other.strays(job_dir.parent) == []


def test_a_run_gets_the_keys_that_it_names_and_no_others(job_dir: Path) -> None:
    command = (sys.executable, "-c", TELL_ENVIRONMENT)
    keys = {"OPENAI_API_KEY": "sk-1", "GROQ_API_KEY": "gsk-2"}
    local = LocalExecutor(environment=os.environ, keys=keys, recipes={"evaluation": command})
    await_end(handle := local.start(job_dir, "evaluation", ["OPENAI_API_KEY", "XAI_API_KEY"]))

    told = json.loads((job_dir / "environment").read_text())
    assert local.poll(handle) == Ended(code=0)
    assert told["OPENAI_API_KEY"] == "sk-1"
    assert not {"GROQ_API_KEY", "XAI_API_KEY"} & set(told)


def test_a_child_finds_the_packages_from_any_folder() -> None:
    environment = child_environment({"PYTHONPATH": "lib"})

    package, inherited = environment["PYTHONPATH"].split(os.pathsep)
    assert (Path(package) / "finetune" / "executors").is_dir()
    assert Path(inherited).is_absolute()


def test_a_log_is_cut_to_its_end_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with path.open("ab", buffering=0) as log:
        log.write(b"x" * 5000 + b"last words\n")
        trim_log(path, cap_bytes=1000, keep_bytes=100)
        log.write(b"and more\n")

    text = path.read_text()
    assert text.startswith("[earlier output was left out]\n")
    assert text.endswith("xlast words\nand more\n")
    assert len(text) < 200


def test_a_log_below_its_cap_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("short")

    trim_log(path)

    assert path.read_text() == "short"
