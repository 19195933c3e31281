"""result.json of a finished job -> rows of measurements, which are evidence for the next question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Engine

from finetune.folder import UnreadableResult
from finetune.spec import DatasetTask, EvaluationSpec, TuningSpec
from finetune.state import Job
from index import measurements
from index.bilingual import Bilingual
from index.catalogue.tuned import MeasuredHere, TunedModel, name_of, write_tuned
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


class _Comparison(_Shape):
    ci95: tuple[float | None, float | None] = (None, None)


class _Tuning(_Result):
    base_model: str
    method: str
    before: dict[str, _Figure]
    before_is: str = "the base model"
    after: dict[str, _Figure]
    adapter: str
    metric: str | None = None
    comparison: _Comparison | None = None
    base_licence: str | None = None
    base_facts: dict[str, Any] = Field(default_factory=dict)


def publish(engine: Engine, job: Job, result: Mapping[str, Any]) -> int:
    """Store what the job measured and return how many rows are new; publishing again adds nothing."""
    return measurements.record(engine, measurements_of(job, result, at_utc=utc_now()))


def publish_model(folder: Path, job: Job, result: Mapping[str, Any]) -> TunedModel | None:
    """Leave the tuned model of a fine-tune for the catalogue of the team; None for an evaluation."""
    if not isinstance(job.spec, TuningSpec):
        return None
    shape = _Tuning.model_validate(result)
    metric = shape.metric or next(iter(shape.after), "")
    low, high = shape.comparison.ci95 if shape.comparison else (None, None)
    is_base = shape.before_is == "the base model"
    model = TunedModel(
        id=name_of(shape.base_model, job.spec.dataset.name, job.id),
        based_on=shape.base_model,
        job_id=job.id,
        quantization="nf4" if shape.method == "qlora" else "none",
        dataset=job.spec.dataset.name,
        task=_TASK_OF[job.spec.dataset.task],
        verdict="better" if (low or 0) > 0 else "worse" if (high or 0) < 0 else "no clear difference",
        measured=tuple(
            MeasuredHere(
                metric=name, before=shape.before[name].value if is_base and name in shape.before else None,
                after=figure.value, n_items=figure.n,
            )
            for name, figure in sorted(shape.after.items(), key=lambda item: item[0] != metric)
            if figure.value is not None
        ),
        licence=shape.base_licence,
        facts=shape.base_facts,
        made_on=utc_now()[:10],
    )  # fmt: skip
    write_tuned(folder, model)
    return model


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
