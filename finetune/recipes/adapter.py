"""Turn a trained model into an adapter folder, and prove that the folder gives the same model back.

What people most often complain of is that the merged or exported model is not the one that was tuned, so the
folder is loaded onto a fresh base, merged, and its logits are compared with those right after training.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from finetune.data import text_hash
from finetune.recipes.loading import TRAINING_TEXTS, load_model, load_tokenizer, with_adapter
from finetune.recipes.tuning_plan import TuningPlan

_CHECKED_ROWS = 4

_TOLERANCE = {torch.float32: 1e-2, torch.bfloat16: 1.0}
"""Logits reach tens; adding the adapter to the weights rounds once more in the precision of the weights."""


def save_adapter(folder: Path, model: Any, plan: TuningPlan) -> Path:
    """Write the adapter in safetensors with its tokenizer; the folder is there whole or not at all."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    # The model knows its base by the folder it was loaded from, which means nothing elsewhere.
    for config in model.peft_config.values():
        config.base_model_name_or_path = plan.location.id
    model.save_pretrained(unfinished, safe_serialization=True)
    load_tokenizer(plan.location, plan.context).save_pretrained(unfinished)
    hashes = sorted({text_hash(row.text) for row in plan.train_rows})
    (unfinished / TRAINING_TEXTS).write_text(json.dumps(hashes), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return folder


@torch.inference_mode()
def answer_logits(model: Any, plan: TuningPlan) -> torch.Tensor:
    """Logits of the first token of the answer to some held-out rows, over the whole vocabulary."""
    model.eval()
    rows = []
    for row in plan.held_out_rows[:_CHECKED_ROWS]:
        ids = torch.tensor([plan.prompts.prompt(row.text)], device=model.device)
        rows.append(model(input_ids=ids, logits_to_keep=1).logits[0, -1].float().cpu())
    return torch.stack(rows)


def check_merge(plan: TuningPlan, adapter: Path, trained: torch.Tensor) -> dict[str, Any]:
    """Load the adapter onto a fresh base, merge it, and compare logits with those right after training.

    A 4-bit base is dequantized first: merging into 4 bits would round the adapter away.
    """
    base = load_model(plan.location, plan.context, plan.quantization, plan.device)
    if plan.quantization != "none":
        base = base.dequantize()
    model = with_adapter(base, str(adapter))
    reloaded = answer_logits(model, plan)
    merged = answer_logits(model.merge_and_unload(), plan)
    difference = float((merged - trained).abs().max())
    agree = bool((merged.argmax(-1) == trained.argmax(-1)).all())
    tolerance = _TOLERANCE[base.dtype]
    return {
        "max_abs_logit_difference": difference,
        "passed": agree and difference <= tolerance,
        "tolerance": tolerance,
        "reloaded_max_abs_logit_difference": float((reloaded - trained).abs().max()),
        "rows": len(trained),
    }
