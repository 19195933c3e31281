"""An evaluation's spec -> the YAML file with which `shortlist evaluate` repeats it."""

from __future__ import annotations

from typing import Any

import yaml

from finetune.data import SAMPLES, registered_name
from finetune.spec import NAMED_OPTIONS, Candidate, EvaluationSpec
from index.errors import ShortlistError


def spec_yaml(spec: EvaluationSpec) -> str:
    """The options of the evaluation, as a spec file; what has its default value is left out, except the seed."""
    chosen = spec.model_dump(mode="json", exclude_defaults=True)
    dataset = spec.dataset
    options: dict[str, Any] = {
        "models": [_model(candidate) for candidate in spec.candidates],
        "dataset": dataset.name if dataset.name in SAMPLES else registered_name(dataset),
        "task": dataset.task,
        **{name: chosen[name] for name in NAMED_OPTIONS if name in chosen},
        **({"judge": _model(spec.judge)} if spec.judge else {}),
        "seed": spec.seed,
    }
    name = " ".join(dataset.name.split())
    text = yaml.safe_dump(options, allow_unicode=True, sort_keys=False)
    return f"# {name}, {dataset.rows} rows, sha256 {dataset.sha256}\n{text}"


def _model(candidate: Candidate) -> str | dict[str, Any]:
    """MODEL@QUANT or PROVIDER:NAME@URL, or all its fields where that does not say everything."""
    loaded = "" if candidate.quantization == "none" else f"@{candidate.quantization}"
    short = f"{candidate.address}{loaded}"
    return (
        short if _reads_back(short, candidate) else candidate.model_dump(mode="json", exclude_defaults=True)
    )


def _reads_back(text: str, candidate: Candidate) -> bool:
    try:
        return Candidate.parse(text) == candidate
    except ShortlistError:
        return False
