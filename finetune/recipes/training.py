"""Take the planned steps: from the last checkpoint on if there is one, in shares where memory is short, up to the best.

A step is the mean loss over all that its rows predict, whether they are taken at once or in shares. Where rows are
kept aside for it, the run ends when their loss no longer falls, and the adapter is the one that had the lowest.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict

from finetune.recipes.batches import Example
from finetune.recipes.checkpoint import Progress, load_checkpoint, save_checkpoint
from finetune.recipes.memory import MemoryMeter
from finetune.recipes.tuning_plan import TuningPlan
from finetune.spec import TuningSpec
from index.bilingual import Bilingual
from index.errors import JobFailed

WARM_UP_FRAC = 0.06
MAX_GRADIENT_NORM = 1.0
_LOOKS, _LOOKS_WHEN_CHOOSING = 4, 8
_CHECKPOINTS = 8
_STEPS_BETWEEN_CHECKPOINTS_AT_MOST = 50
_WATCHED_AT_ONCE = 16
_JUDGED_STEPS, _DIVERGED_TIMES = 10, 3.0
"""A run has diverged when the loss of so many steps is so many times that of the first ones."""

Report = Callable[[Progress], None]


@dataclass(slots=True)
class Trainer:
    """One run on one model with an adapter."""

    plan: TuningPlan
    model: Any
    checkpoint: Path
    run_id: str
    report: Report
    """Told after each step; may raise to end the run."""
    meter: MemoryMeter | None = None

    def train(self) -> Progress:
        """Take the steps that are left, and leave the best adapter in the model."""
        plan, steps = self.plan, len(self.plan.steps)
        self.plan.learner.prepare(self.model, plan.examples)
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(weights, lr=plan.learning_rate, weight_decay=0.0)
        progress = load_checkpoint(self.checkpoint, self.model, optimizer, of=self.run_id)
        progress.rows_at_once = progress.rows_at_once or plan.spec.batch_size
        if progress.step == 0:
            self._rehearse(progress)
        every = min(_STEPS_BETWEEN_CHECKPOINTS_AT_MOST, math.ceil(steps / _CHECKPOINTS))
        while progress.step < steps and not progress.is_over:
            loss = self._step(optimizer, progress)
            self._look(progress, loss)
            if progress.step % every == 0 or progress.step == steps or progress.is_over:
                save_checkpoint(self.checkpoint, self.model, optimizer, progress, of=self.run_id)
            self.report(progress)
        if progress.best is not None:
            set_peft_model_state_dict(self.model, progress.best)
        return progress

    def _step(self, optimizer: torch.optim.Optimizer, progress: Progress) -> float:
        """Learn from one batch and return its mean loss."""
        plan, started_s = self.plan, time.perf_counter()
        optimizer.param_groups[0]["lr"] = plan.learning_rate * learning_rate_frac(
            progress.step, len(plan.steps)
        )
        self.model.train()
        examples = [plan.examples[i] for i in plan.steps[progress.step]]
        loss, tokens = self._gradient(examples, progress)
        if not math.isfinite(loss):
            raise _diverged(plan.learning_rate, progress.step + 1)
        torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], MAX_GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        progress.step += 1
        progress.tokens += tokens
        progress.seconds += time.perf_counter() - started_s
        return loss

    def _gradient(self, examples: Sequence[Example], progress: Progress) -> tuple[float, int]:
        """Of the mean loss; where memory runs out, once more in smaller shares."""
        while True:
            try:
                return self._in_shares(examples, progress.rows_at_once)
            except torch.OutOfMemoryError as error:
                self._do_with_less(progress, error)

    def _in_shares(self, examples: Sequence[Example], at_once: int) -> tuple[float, int]:
        targets = sum(len(example.completion) for example in examples)
        loss, tokens = 0.0, 0
        for start in range(0, len(examples), at_once):
            part = self.plan.learner.loss(self.model, examples[start : start + at_once])
            share = part.total / targets
            share.backward()  # type: ignore[no-untyped-call]
            loss, tokens = loss + share.item(), tokens + part.tokens
        return loss, tokens

    def _do_with_less(self, progress: Progress, error: torch.OutOfMemoryError) -> None:
        """Fewer rows at once, then activations computed again; then it does not fit."""
        self.model.zero_grad(set_to_none=True)
        if progress.rows_at_once > 1:
            progress.rows_at_once = progress.rows_at_once // 2
        elif self.plan.spec.gradient_checkpointing is None and not self.model.is_gradient_checkpointing:
            compute_activations_again(self.model)
            self.plan.learner.prepare(self.model, self.plan.examples)
        else:
            raise _no_room(self.plan.spec) from error
        torch.cuda.empty_cache()

    def _rehearse(self, progress: Progress) -> None:
        """Take the largest step without learning, so that a lack of memory shows now and not in an hour."""
        plan = self.plan
        self.model.train()
        largest = max(plan.steps, key=lambda step: max(plan.examples[i].length for i in step) * len(step))
        self._gradient([plan.examples[i] for i in largest], progress)
        self.model.zero_grad(set_to_none=True)

    def _look(self, progress: Progress, loss: float) -> None:
        """Note the losses; end the run when it has diverged or no longer gains."""
        steps, patience = len(self.plan.steps), self.plan.spec.patience if self.plan.validation_rows else 0
        looks = _LOOKS_WHEN_CHOOSING if self.plan.validation_rows else _LOOKS
        is_look = progress.step % math.ceil(steps / looks) == 0 or progress.step == steps
        watched = self._watched_loss() if is_look else None
        progress.curve.append((progress.step, loss, watched))
        _refuse_divergence(progress, self.plan.learning_rate)
        if watched is None or not self.plan.validation_rows:
            return
        if watched < progress.best_loss:
            progress.best_loss, progress.looks_without_gain = watched, 0
            progress.best = {k: v.detach().clone() for k, v in get_peft_model_state_dict(self.model).items()}
            progress.best_step = progress.step
        else:
            progress.looks_without_gain += 1
            progress.is_over = bool(patience) and progress.looks_without_gain >= patience

    @torch.inference_mode()
    def _watched_loss(self) -> float:
        """The mean loss on rows that are never learned from."""
        self.model.eval()
        total, targets = 0.0, 0
        for start in range(0, len(self.plan.watched), _WATCHED_AT_ONCE):
            part = self.plan.learner.loss(self.model, self.plan.watched[start : start + _WATCHED_AT_ONCE])
            total, targets = total + part.total.item(), targets + part.targets
        return total / targets


def learning_rate_frac(step: int, steps: int) -> float:
    """Share of the full learning rate in a step: a short warm-up, then half a cosine down to nothing."""
    warm_up = max(1, round(WARM_UP_FRAC * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up)))


def compute_activations_again(model: Any) -> None:
    """Keep only what enters each layer, and compute the rest again on the way back: about a third more time."""
    model.enable_input_require_grads()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def _refuse_divergence(progress: Progress, rate: float) -> None:
    losses = [loss for _, loss, _ in progress.curve]
    if len(losses) < 2 * _JUDGED_STEPS:
        return
    first, last = fmean(losses[:_JUDGED_STEPS]), fmean(losses[-_JUDGED_STEPS:])
    if last > _DIVERGED_TIMES * max(first, 0.1):
        raise _grew(rate, first, last, progress.step)


def _diverged(rate: float, step: int) -> JobFailed:
    return JobFailed(
        Bilingual(
            en=f"The loss became infinite at step {step}. Try a lower learning rate, such as "
            f"{rate / 5:.0e} instead of {rate:.0e}.",
            zh=f"第 {step} 步的损失变为无穷大。请降低学习率，例如用 {rate / 5:.0e} 代替 {rate:.0e}。",
        )
    )


def _grew(rate: float, first: float, last: float, step: int) -> JobFailed:
    return JobFailed(
        Bilingual(
            en=f"The loss grew from {first:.2f} to {last:.2f} by step {step}: the model unlearns. Try a lower learning "
            f"rate, such as {rate / 5:.0e} instead of {rate:.0e}.",
            zh=f"到第 {step} 步，损失从 {first:.2f} 升到 {last:.2f}：模型正在退化。"
            f"请降低学习率，例如用 {rate / 5:.0e} 代替 {rate:.0e}。",
        )
    )


def _no_room(spec: TuningSpec) -> JobFailed:
    return JobFailed(
        Bilingual(
            en=f"Even a single row of up to {spec.max_tokens} tokens does not fit into the memory of this GPU. "
            "Try a lower max_tokens, the method qlora, or a smaller model.",
            zh=f"即使每次只算一行（最多 {spec.max_tokens} 个词元）也超出了这块 GPU 的显存。"
            "请尝试调低 max_tokens、使用 qlora，或换用更小的模型。",
        )
    )
