"""The device memory that a spec needs, before a device is leased."""

from __future__ import annotations

from finetune.estimate import memory_gib
from finetune.spec import Candidate, DatasetRef, EvaluationSpec, TuningSpec

DATASET = DatasetRef(name="d", sha256="0" * 64, rows=3)


def evaluation(*candidates: str) -> EvaluationSpec:
    return EvaluationSpec(candidates=tuple(map(Candidate.parse, candidates)), dataset=DATASET)


def test_the_largest_candidate_counts_and_quantizing_makes_it_smaller() -> None:
    full = memory_gib(evaluation("Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B"))
    nf4 = memory_gib(evaluation("Qwen/Qwen3-8B@nf4"))

    assert full is not None
    assert nf4 is not None
    assert 15 < full < 18
    assert nf4 < full / 2


def test_tuning_needs_more_than_serving() -> None:
    tuning = memory_gib(TuningSpec(base_model="Qwen/Qwen3-8B", dataset=DATASET))
    serving = memory_gib(evaluation("Qwen/Qwen3-8B"))

    assert tuning is not None
    assert serving is not None
    assert tuning > serving


def test_a_model_that_nobody_knows_has_no_estimate() -> None:
    assert memory_gib(evaluation("acme/unknown-9b")) is None
