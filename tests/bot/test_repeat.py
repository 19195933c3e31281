"""A finished evaluation at a terminal: what it says, and how it is repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer
from typer.testing import CliRunner

from bot.cli import app
from bot.spec_file import read_spec
from bot.subcommands.evaluate import spec_from
from finetune.data import register
from finetune.models import models_folder, smollm2_folder
from finetune.spec import NAMED_OPTIONS, Candidate, EvaluationSpec
from tests.finetune.recipe_runs import job_folder, result_of, run
from tests.finetune.test_recipe_parts import tiny_model
from tests.finetune.test_recipe_race import written
from tests.slack_bot import Worker, evaluation, evaluation_result, open_surface

OPTIONS = ("models", "dataset", "task", "judge", *NAMED_OPTIONS)
_SAME = ("comparisons", "winner", "leader", "verdict", "metric", "delta", "share_of_full_cost", "dataset")


def without_times(result: dict[str, Any]) -> dict[str, Any]:
    rows = [{key: row[key] for key in ("label", "metrics", "items_seen")} for row in result["candidates"]]
    return {**{name: result[name] for name in _SAME}, "candidates": rows}


def test_the_spec_file_of_an_evaluation_repeats_it(home_with_model: Path, tmp_path: Path) -> None:
    home, models = tmp_path / "home", [tmp_path / "a", tmp_path / "b"]
    for seed, folder in enumerate(models):
        tiny_model(seed).save_pretrained(folder)
        AutoTokenizer.from_pretrained(smollm2_folder(models_folder(home_with_model))).save_pretrained(folder)
    rows = [{"text": f"=row {n}", "label": ("red", "blue")[n % 2], "group": f"g{n % 3}"} for n in range(14)]
    spec = EvaluationSpec(
        candidates=tuple(Candidate(model=str(model)) for model in models),
        dataset=register(written(tmp_path, rows), home=home),
        limit=10, seed=5, examples=1, metric="f1_macro", instruction="Say the colour: red or blue?",
    )  # fmt: skip
    first = job_folder(home / "jobs" / "first", spec, home)
    assert run("evaluate", first).returncode == 0

    options = read_spec(first / "spec.yaml", dict.fromkeys(OPTIONS), allowed=set(OPTIONS))
    read_back = spec_from(options, open_surface(home).jobs)
    second = job_folder(home / "jobs" / "second", read_back, home)
    assert run("evaluate", second).returncode == 0

    assert read_back == spec
    assert without_times(result_of(second)) == without_times(result_of(first))
    assert (second / "answers.csv").read_text() == (first / "answers.csv").read_text()


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """A terminal whose home has one finished evaluation."""
    monkeypatch.setenv("SHORTLIST_HOME", str(tmp_path))
    monkeypatch.setattr("finetune.worker_process.WorkerProcess.ensure", lambda _: None)
    surface = open_surface(tmp_path)
    worker = Worker(surface, surface.jobs.submit(evaluation(seed=7), dedupe_key="a", owner="ana"))
    worker.move("starting", "running")
    worker.succeed(evaluation_result(report="/home/ana/report.html"))
    surface.engine.dispose()
    return CliRunner()


def test_a_finished_job_is_shown_verdict_first_with_the_way_to_its_report(terminal: CliRunner) -> None:
    shown = terminal.invoke(app, ["jobs", "show", "1"]).output
    assert shown.startswith("**SmolLM2-135M-Instruct 16-bit wins on tickets**")
    assert "| candidate |" in shown
    assert "Report: `/home/ana/report.html`" in shown
    assert "`shortlist jobs repeat 1`" in shown


def test_a_finished_job_is_queued_again_with_the_same_spec(terminal: CliRunner, tmp_path: Path) -> None:
    done = terminal.invoke(app, ["jobs", "repeat", "1"])
    surface = open_surface(tmp_path)
    jobs = surface.jobs.list()
    surface.engine.dispose()
    assert done.exit_code == 0, done.output
    assert [job.id for job in jobs] == ["2", "1"]
    assert jobs[0].spec == jobs[1].spec
