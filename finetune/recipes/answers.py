"""Turn rows into a candidate's answers, kept row by row in items.jsonl, and answers into figures.

A run that was killed goes on behind the last row that is in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from finetune.data import Row
from finetune.metrics import METRICS
from finetune.paired import wilson
from finetune.recipes.job_dir import JobDir, append_line, end_torn_line, read_lines
from finetune.recipes.scoring import LabelScorer

_ITEMS = "items.jsonl"
_REPORTED = ("accuracy", "balanced_accuracy", "f1_macro")
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one candidate said about one row."""

    candidate: str
    row: str
    label: str
    prediction: str
    correct: bool
    latency_s: float
    tokens: int
    log_likelihoods: dict[str, float] = field(default_factory=dict)


def answers_so_far(job: JobDir, candidate: str) -> list[Answer]:
    """What the candidate has answered, in this run or in one that was cut off."""
    lines = read_lines(job.path / _ITEMS)
    by_row = {line["row"]: Answer(**line) for line in lines if line["candidate"] == candidate}
    return list(by_row.values())


def answer_rows(
    job: JobDir, candidate: str, scorer: LabelScorer, rows: Sequence[Row], on_row: Callable[[int], None]
) -> list[Answer]:
    """Have the candidate answer each row that it has not answered yet; `on_row` is told how many are done."""
    answers = {answer.row: answer for answer in answers_so_far(job, candidate)}
    end_torn_line(job.path / _ITEMS)
    for row in rows:
        if row.id not in answers:
            answers[row.id] = _answer(candidate, scorer, row)
            append_line(job.path / _ITEMS, asdict(answers[row.id]))
        on_row(len(answers))
    return [answers[row.id] for row in rows]


def figures(answers: Sequence[Answer], *, seed: int) -> dict[str, dict[str, Any]]:
    """Compute the metrics of a result, each with its value, 95% interval and number of rows."""
    predictions = [answer.prediction for answer in answers]
    targets = [answer.label for answer in answers]
    return {name: _figure(name, predictions, targets, seed) for name in _REPORTED}


def speed(answers: Sequence[Answer]) -> dict[str, float]:
    """Compute latency of a single request and throughput, from the time that each row took."""
    latencies_s = [answer.latency_s for answer in answers]
    p50, p95 = np.percentile(latencies_s, [50, 95])
    tokens = sum(answer.tokens for answer in answers)
    return {
        "tokens_per_s": tokens / sum(latencies_s),
        "latency_p50_s": float(p50),
        "latency_p95_s": float(p95),
    }


def _answer(candidate: str, scorer: LabelScorer, row: Row) -> Answer:
    scored = scorer.score(row.text)
    return Answer(
        candidate=candidate,
        row=row.id,
        label=row.label,
        prediction=scored.prediction,
        correct=scored.prediction == row.label,
        latency_s=round(scored.latency_s, 6),
        tokens=scored.tokens,
        log_likelihoods={label: round(value, 4) for label, value in scored.log_likelihoods.items()},
    )


def _figure(name: str, predictions: Sequence[str], targets: Sequence[str], seed: int) -> dict[str, Any]:
    value = METRICS[name].compute(predictions, targets)
    n = len(targets)
    interval = (
        wilson(round(value * n), n) if name == "accuracy" else _bootstrap(name, predictions, targets, seed)
    )
    return {"value": value, "ci95": list(interval), "n": n}


def _bootstrap(
    name: str, predictions: Sequence[str], targets: Sequence[str], seed: int
) -> tuple[float, float]:
    """Percentiles of the metric over rows drawn again with replacement; always holds the value itself."""
    generator = np.random.default_rng(seed)
    n, compute = len(targets), METRICS[name].compute
    values = [compute(predictions, targets)]
    for _ in range(_RESAMPLES):
        chosen = generator.integers(0, n, n)
        values.append(compute([predictions[i] for i in chosen], [targets[i] for i in chosen]))
    low, high = np.percentile(values, [2.5, 97.5])
    return min(float(low), values[0]), max(float(high), values[0])
