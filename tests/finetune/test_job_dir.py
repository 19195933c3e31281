"""How a recipe's process ends when it is asked to."""

from __future__ import annotations

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


def test_a_request_to_end_counts_even_where_python_drops_exceptions(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ASKED_TO_END_IN_A_FORK_HOOK, str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + signal.SIGTERM, "", "")
    assert not (tmp_path / "result.json").exists()
