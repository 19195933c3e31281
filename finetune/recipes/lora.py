"""Fit a LoRA adapter and prove what it is worth: `python -m finetune.recipes.lora JOB_DIR`.

Reads spec.json (a TuningSpec) and context.json; leaves adapter/ with its model card, loss_curve.png,
items.jsonl and result.json. Read it from `tune` down. Started again on the same folder, it goes on from its
last checkpoint. The held-out rows are answered before and after as an evaluation asks; nothing is chosen by them. The
saved adapter is loaded again in a fresh process, merged, and compared with the model that was trained.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from peft.utils import ModulesToSaveWrapper

from finetune.comparison import Comparison, conclude, measure_of
from finetune.errors import LongerThanContext
from finetune.metrics.likelihood import TextLikelihood
from finetune.recipes.adapter import checked, keep_probes, save_adapter
from finetune.recipes.answers import Answer, answer_rows, by_category, figures
from finetune.recipes.askers import scoring_rule
from finetune.recipes.asking import LocalAsker
from finetune.recipes.check_adapter import load_base
from finetune.recipes.checkpoint import Progress
from finetune.recipes.dry_run import rehearse
from finetune.recipes.general import compared, general_rows, read_general
from finetune.recipes.guessing import CommonestLabel
from finetune.recipes.job_dir import JobDir, read_json, run, write_json
from finetune.recipes.kernels import use_fused_kernels
from finetune.recipes.loading import environment, load_tokenizer, max_tokens, prepare_libraries, revision_of
from finetune.recipes.memory import MemoryMeter
from finetune.recipes.model_card import draw_loss_curve, write_model_card
from finetune.recipes.preview import tell
from finetune.recipes.search import Trial, searched
from finetune.recipes.shut_in import shut_in_for
from finetune.recipes.training import (
    MAX_GRADIENT_NORM,
    WARM_UP_FRAC,
    Trainer,
    compute_activations_again,
    no_room,
)
from finetune.recipes.tuning_plan import TuningPlan, learning_rate_for, plan_tuning
from finetune.recipes.weights import weights_sha256
from finetune.spec import METRIC_NAMES, fingerprint
from index.bilingual import Bilingual

DELTA = 0.05
"""As in an evaluation: a difference in accuracy that is surely smaller is none."""
_LOSS_EVENTS_AT_MOST = 200
_LOSS_ROWS_AT_ONCE = 16
HELD = "held.pt"
"""State of a run before its rate falls, for a run that learns from more rows."""


def tune(job: JobDir) -> None:
    """Score, train, score again, check what was saved, and leave the result."""
    plan = plan_tuning(job, prepare_libraries(job.context))
    tell(job, plan)
    shut_in_for(plan.location)
    model, kernels = _load_base(job, plan)
    rate = plan.spec.learning_rate or learning_rate_for(model.num_parameters(), plan.architecture.kind)
    plan = replace(plan, learning_rate=rate)
    _dry_run(job, plan, model)
    meter = MemoryMeter(model, plan.device)
    about = {
        "revision": revision_of(plan.location, model),
        "weights_sha256": weights_sha256(plan.location, job.context),
        "peak_memory_gib": meter.meaning,
        "kernels": kernels,
        "attention": str(getattr(model.config, "_attn_implementation", "unknown")),
    }
    before = _score(job, plan, model, "before", done=0)
    known = _read_general(job, plan, model, "before")
    plan, trials = _searched(job, plan, model)
    model = _add_adapter(model, plan)
    progress = _trained_by(job, plan, model, meter)
    held_out_loss = _held_out_loss(plan, model)
    after = _score(job, plan, model, "after", done=plan.work - len(plan.held_out_rows))
    general = compared(known, _read_general(job, plan, model, "after"), plan.spec.seed)
    adapter = save_adapter(job.path / "adapter", model, plan)
    keep_probes(job, model, plan)
    peak_memory_gib = meter.peak_gib()
    del model
    gc.collect()
    result = {
        **_asked(plan),
        **_trained(progress),
        **_gained(before, after, plan),
        "held_out_loss": held_out_loss,
        "general": general,
        "search": trials,
        "adapter": str(adapter),
        **_EXPORTS_NOTHING,
        **checked(job),
        "peak_memory_gib": peak_memory_gib,
        "model_card": str(adapter / "README.md"),
        "environment": {
            **environment(plan.context, plan.device, seed=plan.spec.seed),
            "scoring": scoring_rule(plan.architecture, plan.spec.dataset.task),
            "tokens_per_s": "tokens of text and answer in training, without padding and shared instruction",
            **about,
        },
    }
    for folder in (job.path, adapter):
        draw_loss_curve(progress.curve, folder / "loss_curve.png")
    write_model_card(adapter / "README.md", result, plan)
    job.finish({**result, "loss_curve_image": str(job.path / "loss_curve.png")})
    _checkpoint(job).unlink(missing_ok=True)


_EXPORTS_NOTHING = {"merged": None, "gguf": None, "gguf_check": None, "gguf_reason": None}


def _load_base(job: JobDir, plan: TuningPlan) -> tuple[Any, str]:
    """The base, and whether fused kernels are in it."""
    job.progress(0, plan.work, "loading")
    model = load_base(plan)
    kernels = use_fused_kernels(model, plan.device, plan.architecture.kind)
    if kernels.must_reload:
        model = load_base(plan)
    if plan.spec.max_tokens and plan.spec.max_tokens > max_tokens(model):
        limit = round(max_tokens(model))
        raise LongerThanContext(plan.spec.base_model, max_tokens=plan.spec.max_tokens, context_tokens=limit)
    return model, kernels.said


def _dry_run(job: JobDir, plan: TuningPlan, model: Any) -> None:
    """Try a step and an evaluation before the run; a run that goes on has been through both."""
    if (job.path / "items.jsonl").exists():
        return
    job.progress(0, plan.work, "dry run")
    tuned = _add_adapter(model, plan)
    try:
        rehearse(job, plan, tuned)
    finally:
        _take_off_adapter(tuned)


def _score(job: JobDir, plan: TuningPlan, model: Any, name: str, *, done: int) -> list[Answer]:
    """Have the model answer the held-out rows; an encoder without a head is compared with the commonest label."""
    model.eval()
    is_guess = name == "before" and plan.architecture.has_new_head
    asker: LocalAsker = (
        CommonestLabel(plan.train_rows) if is_guess else plan.learner.asker(model, plan.held_out_rows)
    )
    answers = answer_rows(
        job,
        name,
        asker,
        plan.held_out_rows,
        METRIC_NAMES[plan.spec.dataset.task][0],
        lambda rows: job.progress(done + rows, plan.work, name),
    )
    if asker.no_room:  # before and after are compared row by row
        raise no_room(plan, Bilingual("The answer", "回答"))
    return answers


def _read_general(job: JobDir, plan: TuningPlan, model: Any, name: str) -> dict[str, TextLikelihood]:
    """How likely general texts are, kept for a run that goes on; only of models that go on with a text."""
    if plan.architecture.kind != "causal" or not plan.spec.general_texts:
        return {}
    file = job.path / f"general-{name}.json"
    if not file.is_file():
        tokenizer = load_tokenizer(plan.location, plan.context)
        read = read_general(model, tokenizer, general_rows(plan.spec.general_texts))
        write_json(file, {text: asdict(likelihood) for text, likelihood in read.items()})
    return {text: TextLikelihood(**fields) for text, fields in read_json(file).items()}


def _searched(job: JobDir, plan: TuningPlan, model: Any) -> tuple[TuningPlan, dict[str, Any] | None]:
    """The plan with the settings that did best on the validation rows, and what was tried."""
    if not plan.spec.trials or not (plan.validation_rows or plan.spec.search):
        return plan, None

    def train(trial: Trial, tell: Callable[[Progress], None]) -> Progress:
        tuned = _add_adapter(model, trial.plan)
        checkpoint = job.path / "search" / "checkpoints" / f"{trial.name}.pt"
        before, steps = (trial.number - 1) * len(plan.steps), len(trial.plan.steps)

        def report(progress: Progress) -> None:
            done = len(plan.held_out_rows) + before + progress.step * len(plan.steps) // steps
            job.progress(done, plan.work, f"search: {trial.number}/{plan.spec.trials}")
            tell(progress)

        try:
            return Trainer(trial.plan, tuned, checkpoint, fingerprint(trial.plan.spec), report).train()
        finally:
            _take_off_adapter(tuned)

    found = searched(job, plan, train)
    return found.plan, found.report


def _add_adapter(model: Any, plan: TuningPlan) -> Any:
    """Freeze the base and put a LoRA adapter beside every linear layer; it changes nothing until trained."""
    spec = plan.spec
    torch.manual_seed(spec.seed)
    config = LoraConfig(
        r=spec.lora_rank,
        lora_alpha=spec.lora_alpha,
        target_modules="all-linear",
        task_type=plan.learner.peft_task,
        use_rslora=spec.use_rslora,
        use_dora=spec.use_dora,
        modules_to_save=model.made_up or None,
    )
    tuned = get_peft_model(model, config)
    if spec.gradient_checkpointing:
        compute_activations_again(tuned)
    return tuned


def _take_off_adapter(tuned: Any) -> None:
    """Leave the base as it was, for the next trial: `unload` alone would leave a head that has learned."""
    heads = {
        name.removeprefix("base_model.model."): module.original_module
        for name, module in tuned.named_modules()
        if isinstance(module, ModulesToSaveWrapper)
    }
    base = tuned.unload()
    for name, head in heads.items():
        base.set_submodule(name, head)


def _trained_by(job: JobDir, plan: TuningPlan, model: Any, meter: MemoryMeter) -> Progress:
    """Train, telling the losses, the pace and what is left."""
    steps = len(plan.steps)

    def report(progress: Progress) -> None:
        step, loss, watched = progress.curve[-1]
        if watched is not None or step % math.ceil(steps / _LOSS_EVENTS_AT_MOST) == 0:
            job.emit("loss", {"step": step, "train": loss, "eval": watched, **_pace(progress, steps, meter)})
        job.progress(plan.work - len(plan.held_out_rows) - steps + step, plan.work, "training")

    trainer = Trainer(plan, model, _checkpoint(job), fingerprint(plan.spec), report)
    if plan.spec.learns_in_order:
        trainer.kind_id, trainer.held = fingerprint(plan.spec.without_size), job.path / HELD
        if plan.spec.continues is not None:
            trainer.begins_with = job.path.parent / plan.spec.continues / HELD
    return trainer.train()


def _held_out_loss(plan: TuningPlan, model: Any) -> dict[str, Any]:
    """How unlikely the right answers of held-out rows are: comparable between models, as it is not by the token."""
    examples = plan.learner.encode(plan.held_out_rows)
    total = 0.0
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(examples), _LOSS_ROWS_AT_ONCE):
            part = plan.learner.loss(model, examples[start : start + _LOSS_ROWS_AT_ONCE])
            total += part.total.item()
    return {"value": total / len(examples), "rows": len(examples), "unit": "nats a row"}


def _pace(progress: Progress, steps: int, meter: MemoryMeter) -> dict[str, float]:
    each_s = progress.seconds / progress.step
    return {
        "tokens_per_s": round(progress.tokens / progress.seconds, 1),
        "left_s": round(each_s * (steps - progress.step), 1),
        "peak_memory_gib": round(meter.peak_gib(), 3),
    }


def _checkpoint(job: JobDir) -> Path:
    return job.path / "checkpoint.pt"


def _asked(plan: TuningPlan) -> dict[str, Any]:
    """What was asked for, as the result repeats it."""
    spec = plan.spec
    return {
        "base_model": plan.location.id,
        "base_licence": plan.location.licence,
        "base_facts": _facts(plan),
        "method": spec.method,
        "task": plan.learner.task,
        "dataset": {**spec.dataset.model_dump(mode="json"), **plan.about_data},
        "hyperparameters": {
            "lora_rank": spec.lora_rank,
            "lora_alpha": spec.lora_alpha,
            "rslora": spec.use_rslora,
            "dora": spec.use_dora,
            "target_modules": "all-linear",
            "learning_rate": plan.learning_rate,
            "schedule": f"warm-up over {WARM_UP_FRAC:.0%} of the steps, then cosine to 0",
            "optimizer": "AdamW, no weight decay",
            "max_gradient_norm": MAX_GRADIENT_NORM,
            "epochs": spec.epochs,
            "batch_size": spec.batch_size,
            "max_tokens": spec.max_tokens,
            "early_stopping": spec.patience if plan.validation_rows else 0,
            "augmentation": list(spec.augmentation),
            "seed": spec.seed,
        },
    }


def _facts(plan: TuningPlan) -> dict[str, Any]:
    """What memory depends on, for a base that no catalogue knows."""
    known = {} if plan.fact is None else asdict(plan.fact)
    return {
        name: value for name, value in known.items() if isinstance(value, str | int | float) and name != "id"
    }


def _trained(progress: Progress) -> dict[str, Any]:
    return {
        "steps": progress.step,
        "best_step": progress.best_step or progress.step,
        "rows_at_once": progress.rows_at_once,
        "loss_curve": [list(point) for point in progress.curve],
        "tokens_per_s": progress.tokens / progress.seconds,
        "train_s": progress.seconds,
    }


def _gained(before: Sequence[Answer], after: Sequence[Answer], plan: TuningPlan) -> dict[str, Any]:
    """Compare on the same held-out rows; a positive difference is a gain."""
    task, seed = plan.spec.dataset.task, plan.spec.seed
    both = Comparison({"after": after, "before": before}, measure_of(METRIC_NAMES[task][0]), seed=seed)
    said = conclude(both, delta_frac=DELTA)
    return {
        "before": figures(before, seed=seed, task=task),
        "before_is": "the commonest label" if plan.architecture.has_new_head else "the base model",
        "after": figures(after, seed=seed, task=task),
        "by_category": {"before": by_category(before), "after": by_category(after)},
        "comparison": _after_first(said["comparisons"][0]),
        **{name: said[name] for name in ("winner", "verdict", "delta", "metric", "more_rows_needed")},
    }


def _after_first(pair: dict[str, Any]) -> dict[str, Any]:
    """The comparison as after against before, whoever is ahead."""
    if pair["a"] == "after":
        return pair
    low, high = pair["ci95"]
    turned = {"a": "after", "b": "before", "difference": -pair["difference"], "ci95": (-high, -low)}
    return {**pair, **turned, "a_only": pair["b_only"], "b_only": pair["a_only"]}


if __name__ == "__main__":
    run(tune)
