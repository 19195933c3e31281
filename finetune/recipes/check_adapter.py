"""Prove in a fresh process that a saved adapter is the model that was trained.

The recipe runs it as `python -m finetune.recipes.check_adapter JOB_DIR`. What people most often complain of is that the
exported model is not the one that was tuned. So the folder is loaded onto a fresh base, and its logits are compared
with those right after training, which the recipe left in check/trained.safetensors; then it is merged and compared
again, and, where that was asked for, the merged model is written, read back and compared. Leaves check/check.json.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from finetune.recipes.gguf_export import NotExported, export_gguf
from finetune.recipes.job_dir import JobDir, run, write_json
from finetune.recipes.learners import Learner
from finetune.recipes.loading import load_model, load_tokenizer, prepare_libraries, with_adapter
from finetune.recipes.tuning_plan import TuningPlan, plan_tuning
from index.bilingual import Bilingual

CHECKED_ROWS = 4
_TOLERANCE = {torch.float32: 1e-2, torch.bfloat16: 1.0, torch.float16: 0.2}
"""Logits reach tens; adding the adapter to the weights rounds once more in the precision of the weights."""


def check_adapter(job: JobDir) -> None:
    """Compare, merge, compare, export."""
    plan = plan_tuning(job, prepare_libraries(job.context))
    trained = load_file(job.path / "check" / "trained.safetensors")["logits"]
    base = load_base(plan, seed=plan.spec.seed + 1)
    if plan.quantization != "none":  # merging into 4 bits would round the adapter away
        base = base.dequantize()
    model = with_adapter(base, str(job.path / "adapter"))
    found = compare(plan, trained, model, merge=lambda tuned: tuned.merge_and_unload())
    exported = _exported(job, plan, found, trained) if plan.spec.export != "adapter" else {}
    write_json(job.path / "check" / "check.json", {"merge_check": found, **exported})


def compare(
    plan: TuningPlan, trained: torch.Tensor, model: Any, *, merge: Callable[[Any], Any]
) -> dict[str, Any]:
    """The adapter beside its base, and merged into it, against the model right after training."""
    tolerance = _TOLERANCE[next(model.parameters()).dtype]
    reloaded = probes(plan.learner, model, plan)
    merged_model = merge(model)
    merged = probes(plan.learner, merged_model, plan)
    difference = float((merged - trained).abs().max())
    agree = bool((merged.argmax(-1) == trained.argmax(-1)).all())
    return {
        "max_abs_logit_difference": difference,
        "passed": agree and difference <= tolerance,
        "tolerance": tolerance,
        "reloaded_max_abs_logit_difference": float((reloaded - trained).abs().max()),
        "rows": len(trained),
        "process": "fresh",
    }


def probes(learner: Learner, model: Any, plan: TuningPlan) -> torch.Tensor:
    """Logits for some held-out rows."""
    model.eval()
    return torch.stack([learner.probe(model, row) for row in plan.held_out_rows[:CHECKED_ROWS]])


def load_base(plan: TuningPlan, *, seed: int | None = None) -> Any:
    """The base as it is tuned; an encoder with a head that is not trained yet.

    Weights that no file has are made up by the seed; who checks takes another, and finds what was not saved.
    """
    torch.manual_seed(plan.spec.seed if seed is None else seed)
    return load_model(
        plan.location,
        plan.context,
        plan.quantization,
        plan.device,
        architecture=plan.architecture,
    )


def _exported(job: JobDir, plan: TuningPlan, found: dict[str, Any], trained: torch.Tensor) -> dict[str, Any]:
    """The merged model as files that were read back and compared; what cannot be had is said, not half made."""
    if not found["passed"]:
        job.note(_not_the_same())
        return {}
    base = load_base(plan, seed=plan.spec.seed + 1)
    base = base if plan.quantization == "none" else base.dequantize()
    merged = with_adapter(base, str(job.path / "adapter")).merge_and_unload()
    folder = job.path / "merged"
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    merged.save_pretrained(unfinished)
    load_tokenizer(plan.location, plan.context).save_pretrained(unfinished)
    read = type(merged).from_pretrained(unfinished, use_safetensors=True, dtype=merged.dtype)
    difference = float((probes(plan.learner, read.to(plan.device), plan) - trained).abs().max())
    if difference > found["tolerance"]:
        shutil.rmtree(unfinished)
        job.note(_not_the_same())
        return {}
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    gguf = _as_gguf(job, plan, folder) if plan.spec.export == "gguf" else {}
    return {"merged": str(folder), "merged_max_abs_logit_difference": difference, **gguf}


def _as_gguf(job: JobDir, plan: TuningPlan, merged: Path) -> dict[str, Any]:
    file = job.path / "model-f16.gguf"
    try:
        return {"gguf_check": export_gguf(merged, file, plan.architecture.kind), "gguf": str(file)}
    except NotExported as refusal:
        job.note(refusal.reason)
        return {"gguf": None, "gguf_reason": {"en": refusal.reason.en, "zh": refusal.reason.zh}}


def _not_the_same() -> Bilingual:
    return Bilingual(
        en="No merged model was kept: its answers differ from those of the model that was trained. "
        "Use the adapter beside its base.",
        zh="未保留合并后的模型：其输出与训练后的模型不一致。请将适配器与基座一起使用。",
    )


if __name__ == "__main__":
    run(check_adapter)
