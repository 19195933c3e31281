"""Fit a LoRA adapter and prove what it is worth: `python -m finetune.recipes.lora JOB_DIR`.

Reads spec.json (a TuningSpec) and context.json; leaves adapter/ with its model card, loss_curve.png,
items.jsonl and result.json. Read it from `tune` down. Started again on the same folder, it goes on from its
last checkpoint. The held-out rows are scored before and after by the rule of `scoring.py`, and the saved
adapter is loaded again onto a fresh base, merged, and compared with the model that was trained.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy

from finetune.clusters import group_codes
from finetune.paired import compare_paired, verdict
from finetune.recipes.adapter import answer_logits, check_merge, save_adapter
from finetune.recipes.answers import Answer, answer_rows, figures
from finetune.recipes.asking import LabelAsker
from finetune.recipes.batches import Example, collate
from finetune.recipes.checkpoint import Progress, load_checkpoint, save_checkpoint
from finetune.recipes.job_dir import JobDir, run
from finetune.recipes.loading import environment, load_model, max_tokens, prepare_libraries, revision_of
from finetune.recipes.memory import MemoryMeter
from finetune.recipes.model_card import draw_loss_curve, write_model_card
from finetune.recipes.prefix import prefix_cache, repeat, shares_prefix_in_training
from finetune.recipes.prompts import shared_prefix
from finetune.recipes.scoring import SCORING, LabelScorer
from finetune.recipes.tuning_plan import TuningPlan, learning_rate_for, plan_tuning
from finetune.spec import TuningSpec, fingerprint
from index.bilingual import Bilingual
from index.errors import BadInput, JobFailed

DELTA = 0.05
"""As in an evaluation: a difference in accuracy that is surely smaller is none."""

WARM_UP_FRAC = 0.06
MAX_GRADIENT_NORM = 1.0
_HELD_OUT_LOSSES = 4
_CHECKPOINTS = 8
_STEPS_BETWEEN_CHECKPOINTS_AT_MOST = 50
_LOSS_EVENTS_AT_MOST = 200


def tune(job: JobDir) -> None:
    """Score, train, score again, check what was saved, and leave the result."""
    plan = plan_tuning(job, prepare_libraries(job.context))
    model = _load_base(job, plan)
    rate = plan.spec.learning_rate or learning_rate_for(model.num_parameters())
    plan = replace(plan, learning_rate=rate)
    meter = MemoryMeter(model, plan.device)
    about = {"revision": revision_of(plan.location, model), "peak_memory_gib": meter.meaning}
    before = _score(job, plan, model, "before", done=0)
    model = _add_adapter(model, plan.spec)
    progress = _train(job, plan, model)
    after = _score(job, plan, model, "after", done=len(before) + len(plan.steps))
    adapter = save_adapter(job.path / "adapter", model, plan)
    peak_memory_gib, logits = meter.peak_gib(), answer_logits(model, plan)
    del model
    gc.collect()
    result = {
        **_asked(plan),
        **_trained(progress),
        **_gained(before, after, plan.spec.seed),
        "adapter": str(adapter),
        "merged": None,
        "merge_check": check_merge(plan, adapter, logits),
        "peak_memory_gib": peak_memory_gib,
        "model_card": str(adapter / "README.md"),
        "environment": {
            **environment(plan.context, plan.device, seed=plan.spec.seed),
            "scoring": SCORING,
            "tokens_per_s": "tokens of text and answer in training, without padding and shared instruction",
            **about,
        },
    }
    draw_loss_curve(progress.curve, job.path / "loss_curve.png")
    write_model_card(adapter / "README.md", result, plan)
    job.finish({**result, "loss_curve_image": str(job.path / "loss_curve.png")})
    _checkpoint(job).unlink(missing_ok=True)


def _load_base(job: JobDir, plan: TuningPlan) -> Any:
    job.progress(0, plan.work, "loading")
    model = load_model(plan.location, plan.context, plan.quantization, plan.device)
    if plan.spec.max_tokens > max_tokens(model):
        raise _longer_than_context(plan.spec, max_tokens(model))
    return model


def _score(job: JobDir, plan: TuningPlan, model: Any, name: str, *, done: int) -> list[Answer]:
    """Have the model answer the held-out rows."""
    model.eval()
    texts = [row.text for row in plan.held_out_rows]
    scorer = LabelScorer(model, plan.prompts, plan.spec.dataset.labels, texts)
    asker = LabelAsker(scorer, max_tokens(model))
    answers = answer_rows(
        job,
        name,
        asker,
        plan.held_out_rows,
        "accuracy",
        lambda rows: job.progress(done + rows, plan.work, name),
    )
    if asker.no_room:  # before and after are compared row by row
        raise _no_room(plan.spec)
    return answers


def _add_adapter(model: Any, spec: TuningSpec) -> Any:
    """Freeze the base and put a LoRA adapter beside every linear layer; it changes nothing until trained."""
    torch.manual_seed(spec.seed)
    config = LoraConfig(
        r=spec.lora_rank, lora_alpha=spec.lora_alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return get_peft_model(model, config)


def _train(job: JobDir, plan: TuningPlan, model: Any) -> Progress:
    """Take the planned steps, from the last checkpoint on if there is one."""
    steps, run_id = len(plan.steps), fingerprint(plan.spec)
    prefix = shared_prefix([e.prompt for e in plan.examples]) if shares_prefix_in_training(model) else []
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=plan.learning_rate, weight_decay=0.0)
    progress = load_checkpoint(_checkpoint(job), model, optimizer, of=run_id)
    if progress.step == 0:
        _rehearse(plan, model, prefix)
    checkpoint_every = min(_STEPS_BETWEEN_CHECKPOINTS_AT_MOST, math.ceil(steps / _CHECKPOINTS))
    while progress.step < steps:
        loss = _step(plan, model, optimizer, progress, prefix)
        held_out_loss = None
        if progress.step % math.ceil(steps / _HELD_OUT_LOSSES) == 0 or progress.step == steps:
            held_out_loss = _held_out_loss(plan, model)
        progress.curve.append((progress.step, loss, held_out_loss))
        if progress.step % checkpoint_every == 0 or progress.step == steps:
            save_checkpoint(_checkpoint(job), model, optimizer, progress, of=run_id)
        _report(job, plan, progress)
    return progress


def _checkpoint(job: JobDir) -> Path:
    return job.path / "checkpoint.pt"


def _step(
    plan: TuningPlan, model: Any, optimizer: torch.optim.Optimizer, progress: Progress, prefix: list[int]
) -> float:
    """Learn from one batch and return its loss."""
    started_s = time.perf_counter()
    weights = optimizer.param_groups[0]["params"]
    optimizer.param_groups[0]["lr"] = plan.learning_rate * learning_rate_frac(progress.step, len(plan.steps))
    model.train()
    examples = [plan.examples[i] for i in plan.steps[progress.step]]
    loss, tokens = answer_loss(model, examples, prefix, plan.device)
    if not math.isfinite(loss.item()):
        raise _diverged(plan.learning_rate, progress.step + 1)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(weights, MAX_GRADIENT_NORM)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    progress.step += 1
    progress.tokens += tokens
    progress.seconds += time.perf_counter() - started_s
    return loss.item()


def answer_loss(
    model: Any, examples: Sequence[Example], prefix: list[int], device: torch.device
) -> tuple[torch.Tensor, int]:
    """Mean loss over the tokens of the answers alone, and how many tokens were computed for it."""
    batch = collate(examples, len(prefix), device)
    cache = prefix_cache(model, prefix)
    repeat(cache, len(examples))
    # The logits over a vocabulary are the largest tensor of all: only where an answer is predicted.
    logits = model(
        input_ids=batch.ids, past_key_values=cache, use_cache=True, logits_to_keep=batch.predicts
    ).logits
    return cross_entropy(logits.float(), batch.targets), batch.tokens


def learning_rate_frac(step: int, steps: int) -> float:
    """Share of the full learning rate in a step: a short warm-up, then half a cosine down to nothing."""
    warm_up = max(1, round(WARM_UP_FRAC * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up)))


def _rehearse(plan: TuningPlan, model: Any, prefix: list[int]) -> None:
    """Take the largest step without learning, so that a lack of memory shows now and not in an hour."""
    model.train()
    largest = max(plan.steps, key=lambda step: max(plan.examples[i].length for i in step) * len(step))
    try:
        loss, _ = answer_loss(model, [plan.examples[i] for i in largest], prefix, plan.device)
        loss.backward()  # type: ignore[no-untyped-call]
    except torch.OutOfMemoryError as error:
        raise _no_room(plan.spec) from error
    model.zero_grad(set_to_none=True)


@torch.inference_mode()
def _held_out_loss(plan: TuningPlan, model: Any) -> float:
    """The loss on rows that are never learned from: when it rises, the model only learns by heart."""
    model.eval()
    prefix = shared_prefix([example.prompt for example in plan.held_out_examples])
    loss, _ = answer_loss(model, plan.held_out_examples, prefix, plan.device)
    return loss.item()


def _report(job: JobDir, plan: TuningPlan, progress: Progress) -> None:
    step, loss, held_out_loss = progress.curve[-1]
    steps = len(plan.steps)
    if held_out_loss is not None or step % math.ceil(steps / _LOSS_EVENTS_AT_MOST) == 0:
        job.emit("loss", {"step": step, "train": loss, "eval": held_out_loss})
    job.progress(len(plan.held_out_rows) + step, plan.work, "training")


def _asked(plan: TuningPlan) -> dict[str, Any]:
    """What was asked for, as the result repeats it."""
    spec = plan.spec
    return {
        "base_model": plan.location.id,
        "method": spec.method,
        "task": "causal-lm",
        "dataset": {
            **spec.dataset.model_dump(mode="json"),
            "rows_trained": len(plan.train_rows),
            "rows_held_out": len(plan.held_out_rows),
            "rows_too_long": plan.too_long,
        },
        "hyperparameters": {
            "lora_rank": spec.lora_rank,
            "lora_alpha": spec.lora_alpha,
            "target_modules": "all-linear",
            "learning_rate": plan.learning_rate,
            "schedule": f"warm-up over {WARM_UP_FRAC:.0%} of the steps, then cosine to 0",
            "optimizer": "AdamW, no weight decay",
            "max_gradient_norm": MAX_GRADIENT_NORM,
            "epochs": spec.epochs,
            "batch_size": spec.batch_size,
            "max_tokens": spec.max_tokens,
            "seed": spec.seed,
        },
    }


def _trained(progress: Progress) -> dict[str, Any]:
    return {
        "steps": progress.step,
        "loss_curve": [list(point) for point in progress.curve],
        "tokens_per_s": progress.tokens / progress.seconds,
        "train_s": progress.seconds,
    }


def _gained(before: Sequence[Answer], after: Sequence[Answer], seed: int) -> dict[str, Any]:
    """Compare on the same held-out rows; a positive difference is a gain."""
    groups = group_codes([answer.group for answer in after])
    pair = compare_paired([a.correct for a in after], [b.correct for b in before], groups=groups, seed=seed)
    said = verdict([pair], delta=DELTA)
    return {
        "before": figures(before, seed=seed),
        "after": figures(after, seed=seed),
        "comparison": {"a": "after", "b": "before", "metric": "accuracy", **asdict(pair)},
        "winner": "after" if said == "winner" else None,
        "verdict": said,
        "delta": DELTA,
    }


def _diverged(rate: float, step: int) -> JobFailed:
    return JobFailed(
        Bilingual(
            en=f"The loss became infinite at step {step}. Try a lower learning rate, such as "
            f"{rate / 5:.0e} instead of {rate:.0e}.",
            zh=f"第 {step} 步的损失变为无穷大。请降低学习率，例如用 {rate / 5:.0e} 代替 {rate:.0e}。",
        )
    )


def _no_room(spec: TuningSpec) -> JobFailed:
    return JobFailed(
        Bilingual(
            en=f"A step of {spec.batch_size} rows does not fit into the memory of this GPU. "
            f"Try batch_size {max(1, spec.batch_size // 2)}, a lower max_tokens, or the method qlora.",
            zh=f"每步 {spec.batch_size} 行超出了这块 GPU 的显存。"
            f"请尝试将 batch_size 设为 {max(1, spec.batch_size // 2)}、调低 max_tokens，或使用 qlora。",
        )
    )


def _longer_than_context(spec: TuningSpec, limit: float) -> BadInput:
    return BadInput(
        Bilingual(
            en=f"max_tokens is {spec.max_tokens} and {spec.base_model} takes at most {limit:.0f}. Lower max_tokens.",
            zh=f"max_tokens 为 {spec.max_tokens}，而 {spec.base_model} 最多支持 {limit:.0f}。请调低 max_tokens。",
        )
    )


if __name__ == "__main__":
    run(tune)
