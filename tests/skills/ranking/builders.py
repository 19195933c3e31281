"""Small values for ranking tests, with defaults for what a test does not care about."""

from __future__ import annotations

from typing import Any

from index.bilingual import Bilingual
from index.records import Benchmark, Evidence, Measurement, ModelFact, Source
from skills.ranking.cost import UsdPerMtok
from skills.ranking.loss import Expected
from skills.ranking.rank import Option

SOURCE = Source(name="a test", url="https://example.com")


def model(name: str = "org/model", **fields: Any) -> ModelFact:
    defaults: dict[str, Any] = {
        "name": name.rsplit("/", 1)[-1],
        "open_weights": True,
        "kind": "instruct",
        "architecture": "dense",
        "params_b": 8.0,
        "release_date": "2025-06-01",
        "licence": "Apache-2.0",
        "commercial_use": "yes",
        "max_context_tokens": 32768,
    }
    return ModelFact(id=name, **{**defaults, **fields})


def benchmark(name: str = "bench", task: str = "code", **fields: Any) -> Benchmark:
    defaults: dict[str, Any] = {
        "language": "en",
        "metric": "accuracy (%)",
        "scale_min": 0.0,
        "scale_max": 100.0,
        "higher_is_better": True,
    }
    return Benchmark(name=name, task=task, **{**defaults, **fields})


def figure(model_id: str, score: float, on: Benchmark, kind: str = "published") -> Evidence:
    return Evidence(model_id=model_id, benchmark=on, score=score, kind=kind, source=SOURCE)  # type: ignore[arg-type]


def option(name: str, *, cost: float, loss: float, se: float = 0.05, **fields: Any) -> Option:
    return Option(
        model=model(name),
        quantization=fields.pop("quantization", "none"),
        cost=UsdPerMtok(value=cost, basis=Bilingual("test", "测试"), source="test"),
        loss=Expected(value=loss, se=se),
        **fields,
    )


def measurement(model_id: str, value: float, **fields: Any) -> Measurement:
    defaults: dict[str, Any] = {
        "job_id": "1",
        "quantization": "none",
        "task": "classification",
        "metric": "accuracy",
        "ci95_low": value - 0.05,
        "ci95_high": value + 0.05,
        "n_items": 200,
        "dataset_name": "tickets",
        "dataset_sha256": "a" * 64,
        "device": "cpu",
        "environment": {},
        "created_at_utc": "2026-11-01T00:00:00.000+00:00",
    }
    return Measurement(model_id=model_id, value=value, **{**defaults, **fields})
