"""Turn a trained model into an adapter folder, and have a fresh process prove that the folder gives the same model back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from finetune.data import text_hash
from finetune.recipes.check_adapter import probes
from finetune.recipes.job_dir import JobDir, read_json
from finetune.recipes.loading import TRAINING_TEXTS, load_tokenizer
from finetune.recipes.tuning_plan import TuningPlan
from index.bilingual import Bilingual
from index.errors import JobFailed

_SHOWN_OF_LOG = 300


def save_adapter(folder: Path, model: Any, plan: TuningPlan) -> Path:
    """Write the adapter in safetensors with its tokenizer; the folder is there whole or not at all."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    # The model knows its base by the folder it was loaded from, which means nothing elsewhere.
    for config in model.peft_config.values():
        config.base_model_name_or_path = plan.location.id
    model.save_pretrained(unfinished, safe_serialization=True)
    load_tokenizer(plan.location, plan.context).save_pretrained(unfinished)
    if plan.architecture.kind == "classifier":
        # Beside the adapter, so that whoever loads it knows what the outputs of its head are called.
        model.config.save_pretrained(unfinished)
    hashes = sorted({text_hash(row.text) for row in (*plan.train_rows, *plan.validation_rows)})
    (unfinished / TRAINING_TEXTS).write_text(json.dumps(hashes), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return folder


def keep_probes(job: JobDir, model: Any, plan: TuningPlan) -> None:
    """Leave the logits of the trained model for the process that checks."""
    folder = job.path / "check"
    folder.mkdir(exist_ok=True)
    logits = probes(plan.learner, model, plan)
    save_file({"logits": torch.as_tensor(logits)}, folder / "trained.safetensors")


def checked(job: JobDir) -> dict[str, Any]:
    """Load the saved adapter in a fresh process; what it found. JobFailed when it could not even be loaded."""
    ended = subprocess.run(
        [sys.executable, "-m", "finetune.recipes.check_adapter", str(job.path)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    file = job.path / "check" / "check.json"
    if ended.returncode != 0 or not file.is_file():
        print(ended.stderr, file=sys.stderr)  # noqa: T201 - into the job's log
        raise _not_loaded(ended.stderr.strip()[-_SHOWN_OF_LOG:])
    return read_json(file)


def _not_loaded(said: str) -> JobFailed:
    last = said.splitlines()[-1] if said else "no reason given"
    return JobFailed(
        Bilingual(
            en=f"The adapter was trained and saved, but could not be loaded again ({last}). Do not use it; "
            "the job's log has the details.",
            zh=f"适配器已训练并保存，但无法重新加载（{last}）。请勿使用；详情见任务日志。",
        )
    )
