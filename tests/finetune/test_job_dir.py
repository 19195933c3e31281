"""How a recipe's process ends when it is asked to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.finetune.recipe_runs import ROOT

ASKED_TO_END_IN_A_FORK_HOOK = """
import multiprocessing, os, signal
from finetune.recipes.job_dir import run

def recipe(job):
    os.register_at_fork(before=lambda: os.kill(os.getpid(), signal.SIGTERM))
    child = multiprocessing.get_context("fork").Process(target=print)
    child.start()
    child.join()
    job.finish({"went": "on"})

run(recipe)
"""

ASKED_TO_END_BEFORE_ITS_CHILD_IS_KNOWN = """
import multiprocessing, os, signal, time
from finetune.recipes.job_dir import run, start_child

def child():
    time.sleep(20)
    print("survived")

def recipe(job):
    os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGTERM))
    start_child(multiprocessing.get_context("fork"), child)
    job.finish({"went": "on"})

run(recipe)
"""

ASKED_TO_END_BEFORE_IT_SERVES = """
import multiprocessing, os, signal
from finetune.recipes.job_dir import run, start_child

def recipe(job):
    os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
    child = start_child(multiprocessing.get_context("fork"), print, "served")
    child.join()
    job.finish({"child": child.exitcode})

run(recipe)
"""


def ended_script(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_child_that_is_being_started_ends_with_its_recipe(tmp_path: Path) -> None:
    ended = ended_script(ASKED_TO_END_BEFORE_ITS_CHILD_IS_KNOWN, tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + signal.SIGTERM, "", "")
    assert not (tmp_path / "result.json").exists()


def test_a_child_that_is_asked_to_end_before_it_serves_does(tmp_path: Path) -> None:
    ended = ended_script(ASKED_TO_END_BEFORE_IT_SERVES, tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert json.loads((tmp_path / "result.json").read_text()) == {"child": 128 + signal.SIGTERM}


def test_a_request_to_end_counts_even_where_python_drops_exceptions(tmp_path: Path) -> None:
    ended = ended_script(ASKED_TO_END_IN_A_FORK_HOOK, tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + signal.SIGTERM, "", "")
    assert not (tmp_path / "result.json").exists()
