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
from finetune.recipes.memory import is_out_of_memory
from finetune.recipes.tuning_plan import TuningPlan
from finetune.tuning_admission import ways_that_fit, would_fit
from index.bilingual import Bilingual
from index.errors import JobFailed

WARM_UP_FRAC = 0.06
_WARM_UP_STEPS, _FALL_FRAC = 4, 0.2
"""Where a larger run may go on from this one: a warm-up that does not depend on its size, and the end of it."""
MAX_GRADIENT_NORM = 1.0
_LOOKS, _LOOKS_WHEN_CHOOSING = 4, 8
_CHECKPOINTS = 8
_STEPS_BETWEEN_CHECKPOINTS_AT_MOST = 50
_WATCHED_AT_ONCE = 16
_JUDGED_STEPS, _DIVERGED_TIMES = 10, 3.0
"""A run has diverged when the loss of so many steps is so many times that of the first ones."""

Report = Callable[[Progress], None]
_STEP = Bilingual("A training step", "训练步")
_EVALUATION = Bilingual("The evaluation", "评测")
_ANSWER = Bilingual(
    "The answer to the longest held-out row, and so an evaluation", "评测（回答最长的留出行）"
)


@dataclass(slots=True)
class Trainer:
    """One run on one model with an adapter."""

    plan: TuningPlan
    model: Any
    checkpoint: Path
    run_id: str
    report: Report
    """Told after each step; may raise to end the run."""
    held: Path | None = None
    """Where the state before the rate falls is kept for larger runs."""
    begins_with: Path | None = None
    """Such a state of a smaller run."""
    kind_id: str = ""
    """What this run has in common with those that it may go on from."""
    _watched_at_once: int = _WATCHED_AT_ONCE
    _held: torch.optim.Optimizer | None = None
    """Of a dry run: its state lies in memory while the evaluation is tried."""

    def train(self) -> Progress:
        """Take the steps that are left, and leave the best adapter in the model."""
        plan, steps = self.plan, len(self.plan.steps)
        self.plan.learner.prepare(self.model, plan.examples)
        optimizer = self._optimizer(plan.learning_rate)
        progress = load_checkpoint(self.checkpoint, self.model, optimizer, of=self.run_id)
        if progress.step == 0 and self.begins_with is not None:
            progress = load_checkpoint(self.begins_with, self.model, optimizer, of=self.kind_id)
        progress.rows_at_once = progress.rows_at_once or plan.spec.batch_size
        if progress.step == 0:
            self._largest_step(progress)
        every = min(_STEPS_BETWEEN_CHECKPOINTS_AT_MOST, math.ceil(steps / _CHECKPOINTS))
        while progress.step < steps and not progress.is_over:
            if self.held is not None and progress.step == steps_at_full_rate(steps):
                save_checkpoint(self.held, self.model, optimizer, progress, of=self.kind_id)
            loss = self._step(optimizer, progress)
            self._look(progress, loss)
            if progress.step % every == 0 or progress.step == steps or progress.is_over:
                save_checkpoint(self.checkpoint, self.model, optimizer, progress, of=self.run_id)
            self.report(progress)
        if progress.best is not None:
            set_peft_model_state_dict(self.model, progress.best)
        return progress

    def rehearse(self) -> Progress:
        """Take the largest step with an optimizer that moves nothing, and keep all that it holds."""
        progress = Progress(rows_at_once=self.plan.spec.batch_size)
        self.plan.learner.prepare(self.model, self.plan.examples)
        self._held = self._optimizer(0.0)
        loss = self._largest_step(progress, self._held)
        if not math.isfinite(loss):
            raise _not_a_number(self.plan)
        return progress

    def rehearse_evaluation(self) -> None:
        """Compute the loss of the longest watched rows, and answer the longest held-out one."""
        watched = sorted(self.plan.watched, key=lambda example: example.length)[-self._watched_at_once :]
        self._loss_of(watched)
        [*_, longest] = sorted(self.plan.held_out_rows, key=lambda row: len(row.text))
        asker = self.plan.learner.asker(self.model, self.plan.held_out_rows)
        for _ in asker.ask([longest]):
            pass
        if asker.no_room:
            raise no_room(self.plan, _ANSWER)

    def _optimizer(self, rate: float) -> torch.optim.Optimizer:
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        is_fused = self.plan.device.type == "cuda"  # all weights in one kernel
        return torch.optim.AdamW(weights, lr=rate, weight_decay=0.0, fused=is_fused)

    def _step(self, optimizer: torch.optim.Optimizer, progress: Progress) -> float:
        """Learn from one batch and return its mean loss."""
        plan, started_s = self.plan, time.perf_counter()
        frac_of = held_rate_frac if plan.spec.learns_in_order else learning_rate_frac
        optimizer.param_groups[0]["lr"] = plan.learning_rate * frac_of(progress.step, len(plan.steps))
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
            except RuntimeError as error:  # the class that torch's own is of
                if not is_out_of_memory(error):
                    raise
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

    def _do_with_less(self, progress: Progress, error: RuntimeError) -> None:
        """Fewer rows at once, then activations computed again; then it does not fit."""
        self.model.zero_grad(set_to_none=True)
        if progress.rows_at_once > 1:
            progress.rows_at_once = progress.rows_at_once // 2
        elif self.plan.spec.gradient_checkpointing is None and not self.model.is_activation_checkpointing:
            compute_activations_again(self.model)
            self.plan.learner.prepare(self.model, self.plan.examples)
        else:
            raise no_room(self.plan, _STEP) from error
        torch.cuda.empty_cache()

    def _largest_step(self, progress: Progress, optimizer: torch.optim.Optimizer | None = None) -> float:
        """Take the largest step without learning, so that a lack of memory shows now and not in an hour."""
        self.model.train()
        loss, _ = self._gradient([self.plan.examples[i] for i in self.plan.largest_step], progress)
        if optimizer is not None and math.isfinite(loss):
            optimizer.step()
        self.model.zero_grad(set_to_none=True)
        return loss

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

    def _watched_loss(self) -> float:
        """The mean loss on rows that are never learned from."""
        return self._loss_of(self.plan.watched)

    @torch.inference_mode()
    def _loss_of(self, examples: Sequence[Example]) -> float:
        """Their mean loss; where memory runs out, in smaller shares from then on."""
        self.model.eval()
        total, targets, done = 0.0, 0, 0
        while done < len(examples):
            share = examples[done : done + self._watched_at_once]
            try:
                part = self.plan.learner.loss(self.model, share)
                total, targets = total + part.total.item(), targets + part.targets
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if len(share) == 1:
                    raise no_room(self.plan, _EVALUATION) from error
                self._watched_at_once = len(share) // 2
            else:
                done += len(share)
        return total / targets


def learning_rate_frac(step: int, steps: int) -> float:
    """Share of the full learning rate in a step: a short warm-up, then half a cosine down to nothing."""
    warm_up = max(1, round(WARM_UP_FRAC * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up)))


def steps_at_full_rate(steps: int) -> int:
    """How many steps of a run do not depend on where it ends."""
    return steps - max(1, round(_FALL_FRAC * steps))


def held_rate_frac(step: int, steps: int) -> float:
    """Share of the full rate: a short warm-up, then held, then a line down to nothing.

    As good as a cosine, and one run serves all sizes below its own (Hägele et al., NeurIPS 2024, arXiv 2405.18392).
    """
    held = steps_at_full_rate(steps)
    if step >= held:
        return (steps - step) / (steps - held + 1)
    return min(1.0, (step + 1) / _WARM_UP_STEPS)


def compute_activations_again(model: Any) -> None:
    """Keep only what enters each layer, and compute the rest again on the way back: about a third more time."""
    model.enable_input_require_grads()
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})


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


def no_room(plan: TuningPlan, what: Bilingual) -> JobFailed:
    """The refusal when memory ran out and nothing is left to do with less, with what would fit."""
    device, tokens = plan.device_free, plan.longest_tokens
    ways = would_fit(ways_that_fit(plan.spec, plan.fact, device, row_tokens=tokens))
    return JobFailed(
        Bilingual(
            en=f"{what.en} of a single row of up to {tokens} tokens does not fit into the memory of {device.name} "
            f"({device.free_gib:.1f} GiB were free). {ways.en}",
            zh=f"单行（最多 {tokens} 个词元）的{what.zh}超出了 {device.name} 的内存"
            f"（可用 {device.free_gib:.1f} GiB）。{ways.zh}",
        )
    )


def _not_a_number(plan: TuningPlan) -> JobFailed:
    return JobFailed(
        Bilingual(
            en=f"The loss of {plan.spec.base_model} is no number before anything was learned: its weights are damaged, or "
            "overflow in this precision. Copy the model again, or take another one.",
            zh=f"{plan.spec.base_model} 训练开始前损失就不是数值：权重已损坏或溢出。请重新复制模型，或换一个。",
        )
    )
