"""A spec -> device memory that it needs at least, so that no device is leased that cannot hold it.

An estimate from the catalogue's facts; None for a model that the catalogue does not know, which then is tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from finetune.spec import MAX_TOKENS, EvaluationSpec, TuningSpec
from index import footprint
from index.records import ModelFact

_CONTEXT_TOKENS = 2048
"""Of one request: recipes ask fewer at once where memory is short, but never fewer than one."""


def memory_gib(
    spec: EvaluationSpec | TuningSpec, facts: Mapping[str, ModelFact] | None = None
) -> float | None:
    """GiB of the largest of the spec's models; None when none of them is known."""
    known = shipped() if facts is None else facts
    needs_gib = [need.total_gib for need in _needs(spec, known) if need is not None]
    return round(max(needs_gib) + footprint.RESERVED_GIB, 2) if needs_gib else None


def _needs(
    spec: EvaluationSpec | TuningSpec, facts: Mapping[str, ModelFact]
) -> list[footprint.Footprint | None]:
    if isinstance(spec, TuningSpec):
        fact = facts.get(spec.base_model)
        return [_tuning(spec, fact)] if fact else []
    return [
        footprint.serving(fact, quantization=candidate.quantization, context_tokens=_CONTEXT_TOKENS)
        for candidate in spec.candidates
        if (fact := facts.get(candidate.model))
    ]


def _tuning(spec: TuningSpec, fact: ModelFact) -> footprint.Footprint | None:
    return footprint.tuning(
        fact,
        method=spec.method,
        seq_tokens=spec.max_tokens or MAX_TOKENS,
        batch=spec.batch_size,
        rank=spec.lora_rank,
    )


@cache
def shipped() -> Mapping[str, ModelFact]:
    """The models of the catalogue as it travels with the package; read once, in milliseconds."""
    from index.catalogue import read  # noqa: PLC0415 - keeps `jobs list` quick

    folder = Path(read.__file__).parent
    return read.read_models(folder, read.read_sources(folder))
