"""Turn a candidate and what it is asked into the key of its answers: all that determines them but the row.

No weights are loaded for it. Our own code that asks is part of it by the hash of its source, so that answers of an
earlier version are never taken for those of this one.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from finetune.models import ModelLocation, resolve
from finetune.recipes.loading import PACKAGES, compute_dtype, sampled_hash
from finetune.recipes.prompts import Shots
from finetune.spec import Candidate, EvaluationSpec

_ASKING = (
    "api", "askers", "asking", "classifying", "convert", "hosted", "loading", "prefix", "prompts", "room", "scoring",
    "seq2seq",
)  # fmt: skip
_FILES_THAT_COUNT = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")


def answer_key(candidate: Candidate, spec: EvaluationSpec, shots: Shots) -> dict[str, Any] | None:
    """The key; None where the exact weights cannot be told, so that nothing may be kept.

    Of a hosted model only its name and its server are known: who wants to know whether it has changed asks anew.
    """
    if candidate.is_hosted:
        return {"model": candidate.model, "base_url": candidate.base_url, **asked(spec, shots)}
    location = resolve(candidate.model)
    weights = location.revision or _hash_of_files(location)
    if weights is None:
        return None
    return {
        "model": location.id if location.revision else None,
        "weights": weights,
        "quantization": candidate.quantization,
        "adapter": sampled_hash(_files(Path(candidate.adapter))) if candidate.adapter else None,
        **asked(spec, shots),
        **_machine(),
    }


def asked(spec: EvaluationSpec, shots: Shots) -> dict[str, Any]:
    """What every candidate of an evaluation is asked with."""
    dataset = spec.dataset
    return {
        "task": dataset.task,
        "labels": list(dataset.labels),
        "instruction": spec.instruction,
        "shots": [list(shot) for shot in shots],
        "max_new_tokens": spec.max_new_tokens,
        "code": _hash_of_code(),
    }


def _machine() -> dict[str, str]:
    """Kind of device, precision and packages: answers differ by them, if seldom; speed and memory always do."""
    on_gpu = torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name(0) if on_gpu else platform.machine(),
        "dtype": str(compute_dtype(torch.device("cuda" if on_gpu else "cpu"))),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def _hash_of_files(location: ModelLocation) -> str | None:
    if location.path is None:
        return None
    return sampled_hash(_files(location.path) if location.path.is_dir() else [location.path])


def _files(folder: Path) -> list[Path]:
    """Weights, tokenizer, chat template and configurations."""
    return sorted({file for pattern in _FILES_THAT_COUNT for file in folder.glob(pattern)})


def _hash_of_code(modules: Sequence[str] = _ASKING) -> str:
    digest = hashlib.sha256()
    for module in modules:
        digest.update(Path(__file__).with_name(f"{module}.py").read_bytes())
    return digest.hexdigest()[:16]
