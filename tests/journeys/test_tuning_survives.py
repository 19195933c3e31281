"""A fine-tune with a search, killed in the middle of both, ends as one that was left alone: real processes, a tiny model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finetune.data import register
from finetune.spec import TuningSpec
from tests.finetune import tiny_models as tiny
from tests.finetune.recipe_runs import job_folder, kill_when, result_of, run

TRIALS = 3


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> tuple[TuningSpec, Path]:
    home = tmp_path_factory.mktemp("home")
    model = tiny.saved(home / "model", tiny.bare_encoder())
    rows = home / "rows.jsonl"
    rows.write_text("\n".join(json.dumps(row) for row in tiny.rows_of(120)))
    dataset = register(rows, home=home)
    return TuningSpec(base_model=str(model), dataset=dataset, epochs=6, search=TRIALS, batch_size=8), home


def tuned(spec: TuningSpec, home: Path, folder: Path) -> dict[str, Any]:
    ended = run("lora", folder if folder.is_dir() else job_folder(folder, spec, home))
    assert (ended.returncode, ended.stderr) == (0, "")
    return result_of(folder)


@pytest.fixture(scope="module")
def whole(spec: tuple[TuningSpec, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return tuned(*spec, tmp_path_factory.mktemp("jobs") / "whole")


def losses(result: dict[str, Any]) -> list[tuple[int, float, float]]:
    return [
        (step, loss, -1.0 if watched is None else watched) for step, loss, watched in result["loss_curve"]
    ]


def test_a_search_and_a_run_that_are_killed_go_on_to_the_same_losses(
    spec: tuple[TuningSpec, Path], whole: dict[str, Any], tmp_path: Path
) -> None:
    job = job_folder(tmp_path / "killed", *spec)
    kill_when("lora", job, lambda: len(list((job / "search" / "checkpoints").glob("*.pt"))) == 2)
    told = (job / "search" / "study.log").read_text()
    assert not (job / "checkpoint.pt").exists()
    kill_when("lora", job, (job / "checkpoint.pt").exists)
    killed = tuned(*spec, job)

    assert (job / "search" / "study.log").read_text().startswith(told)
    tried = [trial["settings"] for trial in whole["search"]["trials"]]
    assert [trial["settings"] for trial in killed["search"]["trials"]] == tried
    assert [t["state"] for t in killed["search"]["trials"]] == [t["state"] for t in whole["search"]["trials"]]
    assert len({json.dumps(settings) for settings in tried}) == TRIALS
    assert killed["search"]["best"] == whole["search"]["best"]
    assert killed["search"]["best_loss"] == pytest.approx(whole["search"]["best_loss"], abs=1e-5)
    for ours, theirs in zip(losses(killed), losses(whole), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)


def test_the_run_after_a_search_is_the_best_trial_again(whole: dict[str, Any]) -> None:
    """Every trial begins with the same weights: what one has learned, its head included, is gone for the next."""
    seen = [watched for _, _, watched in whole["loss_curve"] if watched is not None]
    assert min(seen) == pytest.approx(whole["search"]["best_loss"], abs=1e-5)
