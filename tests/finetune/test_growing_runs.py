"""Fine-tunes of growing size: a larger one takes the smaller one's steps first, so it can go on from there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from finetune.recipes import lora
from finetune.recipes.check_adapter import load_base
from finetune.recipes.checkpoint import Progress
from finetune.recipes.job_dir import JobDir
from finetune.recipes.training import Trainer, held_rate_frac, steps_at_full_rate
from finetune.recipes.tuning_plan import TuningPlan, plan_tuning
from finetune.spec import TuningSpec, fingerprint
from tests.finetune import tiny_models as tiny
from tests.finetune.recipe_runs import job_folder
from tests.finetune.test_tuning import job_on, learnable_rows

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.saved(tmp_path_factory.mktemp("encoder") / "model", tiny.bare_encoder())


def _job(home: Path, encoder: Path, number: int, **settings: Any) -> JobDir:
    if not (home / "job").is_dir():
        job_on(home, encoder, learnable_rows(120), batch_size=4)
    spec = TuningSpec.model_validate_json((home / "job" / "spec.json").read_text())
    return JobDir(job_folder(home / "jobs" / str(number), spec.model_copy(update=settings), home))


def _plan(job: JobDir) -> TuningPlan:
    return replace(plan_tuning(job, torch.device("cpu")), learning_rate=5e-3)


def _trained(job: JobDir, begins_with: Path | None = None) -> tuple[Progress, Any]:
    plan = _plan(job)
    model = lora._add_adapter(load_base(plan), plan)
    trainer = Trainer(plan, model, job.path / "checkpoint.pt", fingerprint(plan.spec), lambda _: None)
    trainer.kind_id, trainer.held = fingerprint(plan.spec.without_size), job.path / lora.HELD
    trainer.begins_with = begins_with
    return trainer.train(), model


def test_the_rows_and_steps_of_a_smaller_run_are_the_beginning_of_a_larger_one(
    encoder: Path, tmp_path: Path
) -> None:
    small, large = (_plan(_job(tmp_path, encoder, n, learn_rows=rows)) for n, rows in ((1, 24), (2, 48)))
    assert [row.id for row in large.train_rows[:24]] == [row.id for row in small.train_rows]
    assert large.steps[: len(small.steps)] == small.steps
    assert [row.id for row in large.held_out_rows] == [row.id for row in small.held_out_rows]


def test_going_on_from_the_smaller_run_leads_to_the_losses_of_a_run_from_the_start(
    encoder: Path, tmp_path: Path
) -> None:
    small = _job(tmp_path, encoder, 1, learn_rows=24)
    _trained(small)
    whole, _ = _trained(_job(tmp_path, encoder, 2, learn_rows=48))
    continued, _ = _trained(
        _job(tmp_path, encoder, 3, learn_rows=48, continues="1"), begins_with=small.path / lora.HELD
    )
    taken = steps_at_full_rate(6)
    assert len(whole.curve) == len(continued.curve) == 12
    assert [loss for _, loss, _ in continued.curve[taken:]] == pytest.approx(
        [loss for _, loss, _ in whole.curve[taken:]], abs=1e-5
    )


def test_the_state_of_another_kind_of_run_is_not_gone_on_from(encoder: Path, tmp_path: Path) -> None:
    small = _job(tmp_path, encoder, 1, learn_rows=24)
    _trained(small)
    other = _job(tmp_path, encoder, 2, learn_rows=48, lora_rank=4, continues="1")
    assert len(_trained(other, begins_with=small.path / lora.HELD)[0].curve) == 12


@pytest.mark.parametrize("steps", [1, 2, 5, 40])
def test_the_rate_holds_and_then_falls_towards_nothing(steps: int) -> None:
    fracs = [held_rate_frac(step, steps) for step in range(steps)]
    held = steps_at_full_rate(steps)
    assert held < steps
    assert all(0 < frac <= 1 for frac in fracs)
    assert fracs[held:] == sorted(fracs[held:], reverse=True)
    assert fracs[-1] <= 0.5


def test_steps_before_the_fall_do_not_depend_on_the_size_of_the_run() -> None:
    held = steps_at_full_rate(20)
    assert [held_rate_frac(step, 20) for step in range(held)] == [
        held_rate_frac(step, 40) for step in range(held)
    ]


def test_the_held_out_loss_is_of_all_held_out_rows(encoder: Path, tmp_path: Path) -> None:
    job = _job(tmp_path, encoder, 1, learn_rows=60)
    _, model = _trained(job)
    plan = _plan(job)
    plan.learner.prepare(model, plan.examples)
    told = lora._held_out_loss(plan, model)
    assert told["rows"] == len(plan.held_out_rows)
    assert 0 < told["value"] < 3
    json.dumps(told)
