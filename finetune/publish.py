"""result.json of a finished job -> rows of measurements, which are evidence for the next question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Engine

from finetune.folder import UnreadableResult
from finetune.spec import DatasetTask, EvaluationSpec
from finetune.state import Job
from index import measurements
from index.bilingual import Bilingual
from index.records import Measurement, Quantization
from index.store import utc_now

_TASK_OF: dict[DatasetTask, str] = {
    "classification": "classification",
    "multiple-choice": "question-answering",
    "question-answering": "question-answering",
    "extraction": "extraction",
    "generation": "summarization",
    "language-modelling": "chat",
    "chat": "chat",
}
"""Task of a data set -> the task of a request that its figures are evidence for. Texts to be written count for
summarization, the commonest of them; a recommendation for translation does not see them yet."""


class _Shape(BaseModel):
    """The part of a result that is published; recipes may write more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Figure(_Shape):
    value: float | None
    ci95: tuple[float | None, float | None] = (None, None)
    n: int


class _Row(_Shape):
    model: str
    quantization: Quantization = "none"
    adapter: str | None = None
    metrics: dict[str, _Figure] = Field(default_factory=dict)
    tokens_per_s: float | None = None
    latency_p50_s: float | None = None
    peak_memory_gib: float | None = None
    environment: dict[str, Any] = Field(default_factory=dict)
    """Its own, where candidates ran in different places."""


class _Result(_Shape):
    environment: dict[str, Any] = Field(default_factory=dict)


class _Judge(_Shape):
    against: str


class _Evaluation(_Result):
    candidates: tuple[_Row, ...]
    judge: _Judge | None = None

    @property
    def says_something_elsewhere(self) -> bool:
        """Who wins against another candidate how often means nothing beside other candidates."""
        return self.judge is None or self.judge.against == "reference"


class _Tuning(_Result):
    base_model: str
    method: str
    before: dict[str, _Figure]
    before_is: str = "the base model"
    after: dict[str, _Figure]
    adapter: str


def publish(engine: Engine, job: Job, result: Mapping[str, Any]) -> int:
    """Store what the job measured and return how many rows are new; publishing again adds nothing."""
    return measurements.record(engine, measurements_of(job, result, at_utc=utc_now()))


def measurements_of(job: Job, result: Mapping[str, Any], *, at_utc: str) -> list[Measurement]:
    """One row per candidate and metric of an evaluation; the base and the tuned model of a fine-tune."""
    try:
        return list(_measurements(job, result, at_utc))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        said = f"{place}: {first['msg']}"
        raise UnreadableResult(job.id, Bilingual(said, said)) from error


def _measurements(job: Job, result: Mapping[str, Any], at_utc: str) -> Iterator[Measurement]:
    is_evaluation = isinstance(job.spec, EvaluationSpec)
    shape = _Evaluation.model_validate(result) if is_evaluation else _Tuning.model_validate(result)
    if isinstance(shape, _Evaluation) and not shape.says_something_elsewhere:
        return
    for row in shape.candidates if isinstance(shape, _Evaluation) else _before_and_after(shape):
        measured_with = row.environment or shape.environment
        environment = {name: str(value) for name, value in measured_with.items() if value is not None}
        for metric, figure in row.metrics.items():
            if figure.value is None:
                continue
            yield Measurement(
                job_id=job.id,
                model_id=row.model,
                adapter=_adapter_name(row.adapter),
                quantization=row.quantization,
                task=_TASK_OF[job.spec.dataset.task],
                metric=metric,
                value=figure.value,
                ci95_low=figure.ci95[0],
                ci95_high=figure.ci95[1],
                n_items=figure.n,
                dataset_name=job.spec.dataset.name,
                dataset_sha256=job.spec.dataset.sha256,
                tokens_per_s=row.tokens_per_s,
                latency_p50_s=row.latency_p50_s,
                peak_memory_gib=row.peak_memory_gib,
                device=environment.get("device", "unknown"),
                environment=environment,
                created_at_utc=at_utc,
            )


def _before_and_after(result: _Tuning) -> tuple[_Row, ...]:
    """The models of a fine-tune. Speed and memory of tuning are not those of serving: left unknown.

    An encoder that had no head answered nothing before: what it is compared with is no measurement of it.
    """
    quantization: Quantization = "nf4" if result.method == "qlora" else "none"
    before = _Row(model=result.base_model, quantization=quantization, metrics=result.before)
    after = before.model_copy(update={"adapter": result.adapter, "metrics": result.after})
    return (before, after) if result.before_is == "the base model" else (after,)


def _adapter_name(folder: str | None) -> str | None:
    """`…/jobs/7/adapter` is known as job-7, wherever it was measured."""
    if folder is None:
        return None
    path = Path(folder)
    return f"job-{path.parent.name}" if path.parent.parent.name == "jobs" else path.name
