"""Try the hardest training step and the hardest evaluation before the run: what does not fit is said now, not in hours.

The step holds all that a real one holds: activations of the longest rows, gradients, the optimizer's state; the evaluation
runs while that is still held, as it will. Nothing is learned: the steps have no length. What does not fit is refused with
what would, and so is a disk that has no room for the checkpoints.
"""

from __future__ import annotations

import gc
import shutil
import time
from pathlib import Path
from typing import Any

import torch

from finetune.device import GIB
from finetune.recipes.checkpoint import Progress
from finetune.recipes.job_dir import JobDir
from finetune.recipes.training import Trainer
from finetune.recipes.tuning_plan import TuningPlan
from finetune.tuning_preview import duration
from index.bilingual import Bilingual
from index.disk import DiskShort

_SPARE_BYTES = 64 * 2**20
"""Events, logs, answers, pictures."""
_STORED_BYTES = 4
"""Of a number of the adapter, and of each of Adam's two moments."""


def rehearse(job: JobDir, plan: TuningPlan, tuned: Any) -> None:
    """Take the largest step and evaluate at full length; JobFailed when something has no room."""
    _require_disk(job.path, plan, tuned)
    trainer = Trainer(plan, tuned, job.path / "none.pt", "dry run", lambda _: None)
    started_s = time.perf_counter()
    progress = trainer.rehearse()
    step_s = time.perf_counter() - started_s
    trainer.rehearse_evaluation()
    job.note(_passed(plan, progress, step_s, is_computed_again=bool(tuned.is_activation_checkpointing)))
    if tuned.is_activation_checkpointing and not plan.spec.gradient_checkpointing:
        tuned.activation_checkpointing_disable()
        tuned.disable_input_require_grads()
    tuned.zero_grad(set_to_none=True)
    del trainer
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def disk_bytes(plan: TuningPlan, tuned: Any) -> int:
    """What a run writes at most: the adapter, a checkpoint twice while it is replaced, the merged model if wanted."""
    trained: int = sum(weight.numel() for weight in tuned.parameters() if weight.requires_grad)
    of_checkpoint = trained * _STORED_BYTES * (4 if plan.validation_rows else 3)
    merged: int = sum(weight.numel() for weight in tuned.parameters()) * plan_bytes(plan)
    copies = {"adapter": 0, "merged": 1, "gguf": 2}[plan.spec.export]
    return trained * _STORED_BYTES + 2 * of_checkpoint + copies * merged + _SPARE_BYTES


def plan_bytes(plan: TuningPlan) -> int:
    """Bytes of one number of a merged model."""
    return 2 if plan.device.type == "cuda" else 4


def _require_disk(folder: Path, plan: TuningPlan, tuned: Any) -> None:
    need, free = disk_bytes(plan, tuned), shutil.disk_usage(folder).free
    if need > free:
        raise DiskShort(str(folder), need_gib=need / GIB, free_gib=free / GIB)


def _passed(plan: TuningPlan, progress: Progress, step_s: float, *, is_computed_again: bool) -> Bilingual:
    """What was tried, and how long the run will take at that pace."""
    largest = plan.largest_step
    longest = max(plan.examples[i].length for i in largest)
    tokens = sum(plan.examples[i].length for step in plan.steps for i in step)
    left = duration(step_s * tokens / max(1, sum(plan.examples[i].length for i in largest)))
    less, less_zh = "", ""
    if progress.rows_at_once < plan.spec.batch_size:
        less = f" Memory is short: {progress.rows_at_once} rows are taken at a time, with the same outcome."
        less_zh = f"内存较紧：每次只算 {progress.rows_at_once} 行，结果不变。"
    if is_computed_again and not plan.spec.gradient_checkpointing:
        less += " Activations are computed again instead of kept."
        less_zh += "激活值改为重新计算而不保存。"
    return Bilingual(
        en=f"Dry run passed: a step of {len(largest)} rows of up to {longest} tokens fits, and so does an evaluation at "
        f"full length. Training will take about {left.en}.{less}",
        zh=f"试运行通过：一步（{len(largest)} 行，最长 {longest} 个词元）和一次全长评测都放得下。"
        f"训练约需 {left.zh}。{less_zh}",
    )
