"""Builders for the tests of recipes: a job folder, a real child process on it, and a way to stop it midway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from finetune.data import register
from finetune.spec import Candidate, DatasetRef, EvaluationSpec, TuningSpec

ROOT = Path(__file__).parents[2]

Spec = EvaluationSpec | TuningSpec


def evaluation(home: Path, *candidates: Candidate, **changes: Any) -> EvaluationSpec:
    return EvaluationSpec(candidates=candidates, dataset=register("tickets", home=home), **changes)


def tuning(home: Path, **changes: Any) -> TuningSpec:
    small = {"limit": 24, "held_out_frac": 0.3, "held_out_limit": 3, "max_steps": 3, "batch_size": 2}
    return TuningSpec(base_model="smollm2", dataset=register("tickets", home=home), **{**small, **changes})


def unregistered() -> DatasetRef:
    return DatasetRef(name="gone", sha256="0" * 64, rows=10, labels=("a", "b"))


def job_folder(path: Path, spec: Spec, home: Path) -> Path:
    path.mkdir(parents=True)
    (path / "spec.json").write_text(spec.model_dump_json())
    (path / "context.json").write_text(json.dumps({"home": str(home), "threads": 2}))
    return path


def run(recipe: str, job: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(recipe, job), cwd=ROOT, capture_output=True, text=True, check=False)


def run_until(
    recipe: str, job: Path, is_reached: Callable[[dict[str, Any]], bool], stop_signal: int
) -> tuple[int, str]:
    """Run the recipe, end it at the first event that `is_reached`, return its exit code and its log.

    The events file is a pipe meanwhile, so the test reads each event in the moment it is written.
    """
    pipe = job / "events.jsonl"
    os.mkfifo(pipe)
    # Open for writing too, so that opening does not wait and reading does not end between two events.
    with os.fdopen(os.open(pipe, os.O_RDWR), encoding="utf-8") as events:
        child = subprocess.Popen(
            command(recipe, job), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for line in events:
            if is_reached(json.loads(line)):
                break
        child.send_signal(stop_signal)
        _, log = child.communicate()
    pipe.unlink()
    return child.returncode, log


def command(recipe: str, job: Path) -> list[str]:
    return [sys.executable, "-m", f"finetune.recipes.{recipe}", str(job)]


def result_of(job: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((job / "result.json").read_text())
    return result


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def kill_when(recipe: str, job: Path, is_reached: Callable[[], bool]) -> None:
    """Run the recipe until files show that a point `is_reached`, and kill it there as a crash would."""
    child = subprocess.Popen(
        command(recipe, job), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while child.poll() is None and not is_reached():
        with suppress(subprocess.TimeoutExpired):
            child.wait(0.002)
    child.kill()
    _, log = child.communicate()
    assert child.returncode == -signal.SIGKILL, log
