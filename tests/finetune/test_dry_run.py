"""The dry run: one step and one evaluation before the run; memory and disk that run out are said at once, with a way out.

Out of memory and the size of the disk are faked where torch and the system tell them; all else is real.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from finetune.recipes import dry_run, lora
from finetune.recipes.check_adapter import load_base
from finetune.recipes.dry_run import disk_bytes
from finetune.recipes.job_dir import JobDir
from finetune.recipes.learners import Loss
from finetune.recipes.training import Trainer
from finetune.recipes.tuning_plan import TuningPlan, plan_tuning
from index.disk import DiskShort
from index.errors import JobFailed
from tests.finetune import tiny_models as tiny
from tests.finetune.recipe_runs import lines_of
from tests.finetune.test_tuning import job_on, learnable_rows

# PEFT asks by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


class Ready(NamedTuple):
    """A planned fine-tune with its adapter on."""

    job: JobDir
    plan: TuningPlan
    tuned: Any


@pytest.fixture
def ready(tmp_path: Path) -> Ready:
    model = tiny.saved(tmp_path / "model", tiny.causal(), template="")
    job = job_on(tmp_path, model, learnable_rows(60), batch_size=4, max_steps=3)
    plan = plan_tuning(job, torch.device("cpu"))
    return Ready(job, plan, lora._add_adapter(load_base(plan), plan))


def out_of_memory_above(
    plan: TuningPlan, monkeypatch: pytest.MonkeyPatch, *, training: int | None, evaluating: int | None
) -> None:
    """Let no more than so many rows fit at once, in a step and in an evaluation; None fits all."""
    loss = plan.learner.loss

    def limited(of: Any, examples: Any) -> Loss:
        most = training if of.training else evaluating
        if most is not None and len(examples) > most:
            raise torch.OutOfMemoryError
        return loss(of, examples)

    monkeypatch.setattr(plan.learner, "loss", limited)


def notes(job: JobDir) -> list[dict[str, str]]:
    return [event["data"] for event in lines_of(job.path / "events.jsonl") if event["kind"] == "note"]


def test_what_was_tried_is_told_and_nothing_has_been_learned(ready: Ready) -> None:
    before = {name: weight.clone() for name, weight in ready.tuned.named_parameters()}
    dry_run.rehearse(ready.job, ready.plan, ready.tuned)
    assert all(torch.equal(weight, before[name]) for name, weight in ready.tuned.named_parameters())
    assert not any(weight.grad is not None for weight in ready.tuned.parameters())
    longest = max(ready.plan.examples[i].length for i in ready.plan.largest_step)
    [note] = notes(ready.job)
    assert f"a step of 4 rows of up to {longest} tokens fits, and so does an evaluation" in note["en"]
    assert note["zh"].startswith("试运行通过")


def test_memory_that_runs_out_in_a_step_is_met_and_told(
    ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_memory_above(ready.plan, monkeypatch, training=1, evaluating=None)
    dry_run.rehearse(ready.job, ready.plan, ready.tuned)
    assert "1 rows are taken at a time" in notes(ready.job)[0]["en"]


def test_memory_that_runs_out_at_evaluation_only_is_met(
    ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(ready.plan, ready.tuned, ready.job.path / "none.pt", "a", lambda _: None)
    whole = trainer._watched_loss()
    out_of_memory_above(ready.plan, monkeypatch, training=None, evaluating=2)
    dry_run.rehearse(ready.job, ready.plan, ready.tuned)
    assert trainer._watched_loss() == pytest.approx(whole, rel=1e-5)


def test_an_evaluation_that_never_fits_ends_it_before_any_row_is_scored(
    ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_memory_above(ready.plan, monkeypatch, training=None, evaluating=0)
    with pytest.raises(JobFailed, match="The evaluation of a single row of up to") as caught:
        dry_run.rehearse(ready.job, ready.plan, ready.tuned)
    assert "By estimate this would fit: " in caught.value.message.en
    assert "qlora" in caught.value.message.zh
    monkeypatch.setattr(lora, "plan_tuning", lambda *_: ready.plan)
    with pytest.raises(JobFailed, match="The evaluation"):
        lora.tune(ready.job)
    assert not (ready.job.path / "items.jsonl").exists()
    assert not (ready.job.path / "adapter").exists()


def test_a_step_that_never_fits_says_what_would(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    out_of_memory_above(ready.plan, monkeypatch, training=0, evaluating=None)
    with pytest.raises(JobFailed, match=r"A training step of a single row of up to .* the method qlora"):
        dry_run.rehearse(ready.job, ready.plan, ready.tuned)


def test_memory_of_the_machine_runs_out_in_words_of_its_own(
    ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory"
    loss = ready.plan.learner.loss

    def limited(of: Any, examples: Any) -> Loss:
        if of.training and len(examples) > 2:
            raise RuntimeError(words)
        return loss(of, examples)

    monkeypatch.setattr(ready.plan.learner, "loss", limited)
    dry_run.rehearse(ready.job, ready.plan, ready.tuned)
    assert "2 rows are taken at a time" in notes(ready.job)[0]["en"]
    monkeypatch.setattr(ready.plan.learner, "loss", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        dry_run.rehearse(ready.job, ready.plan, ready.tuned)


def test_a_disk_without_room_for_the_checkpoints_is_refused(
    ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = sum(weight.numel() for weight in ready.tuned.parameters() if weight.requires_grad)
    assert disk_bytes(ready.plan, ready.tuned) > 4 * trained * (1 + 2 * 3)
    usage = shutil.disk_usage(ready.job.path)._replace(free=1000)
    monkeypatch.setattr(dry_run.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DiskShort, match=r"has 0\.00 GiB free, and this run writes up to") as caught:
        dry_run.rehearse(ready.job, ready.plan, ready.tuned)
    assert "磁盘" in caught.value.message.zh
    assert not (ready.job.path / "checkpoint.pt").exists()


def test_a_model_whose_loss_is_no_number_is_not_trained(ready: Ready) -> None:
    with torch.no_grad():
        next(ready.tuned.parameters()).fill_(math.nan)
    with pytest.raises(JobFailed, match="no number before anything was learned"):
        dry_run.rehearse(ready.job, ready.plan, ready.tuned)


def test_a_loss_that_becomes_no_number_ends_the_run_with_advice(
    ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, loss = [0], ready.plan.learner.loss

    def breaks(of: Any, examples: Any) -> Loss:
        found = loss(of, examples)
        steps[0] += of.training
        return Loss(found.total * math.nan, found.targets, found.tokens) if steps[0] > 2 else found

    monkeypatch.setattr(ready.plan.learner, "loss", breaks)
    trainer = Trainer(ready.plan, ready.tuned, ready.job.path / "run.pt", "a", lambda _: None)
    with pytest.raises(JobFailed, match=r"at step 2\. Try a lower learning rate, such as") as caught:
        trainer.train()
    assert "学习率" in caught.value.message.zh
