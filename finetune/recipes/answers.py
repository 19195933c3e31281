"""Turn replies into a candidate's answers, kept row by row in items.jsonl, and answers into figures.

A run that was killed goes on behind the last row that is in the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import fmean
from typing import Any

import numpy as np

from finetune.columns import Row
from finetune.metrics import METRICS, Metric
from finetune.metrics.likelihood import TextLikelihood, bits_per_byte, perplexity
from finetune.paired import wilson
from finetune.recipes.asking import Asker, Problem, Reply
from finetune.recipes.job_dir import JobDir, append_line, end_torn_line, read_lines
from finetune.spec import JUDGED, METRIC_NAMES, DatasetTask

_ITEMS = "items.jsonl"
VERDICTS = "verdicts.jsonl"
"""What a judge said of the answers; until then their score is 0."""
_RESAMPLES = {"frac": 1000, "points": 200}
"""Fewer where the metric itself takes long."""
_RIGHT_OR_WRONG = frozenset({"accuracy", "exact_match", "json_validity"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one candidate said about one row."""

    candidate: str
    row: str
    label: str
    prediction: str
    correct: bool
    score: float
    """By the metric that decides; higher is better."""
    busy_s: float
    latency_s: float | None
    tokens: int
    first_token_s: float | None = None
    references: list[str] = field(default_factory=list)
    """Further right answers."""
    category: str | None = None
    log_likelihoods: dict[str, float] = field(default_factory=dict)
    log_likelihood: float | None = None
    utf8_bytes: int = 0
    is_cut_off: bool = False
    problem: Problem | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    usd: float | None = None


def answers_so_far(job: JobDir, candidate: str) -> list[Answer]:
    """What the candidate has answered, in this run or in one that was cut off."""
    lines = read_lines(job.path / _ITEMS)
    by_row = {line["row"]: Answer(**line) for line in lines if line["candidate"] == candidate}
    for line in read_lines(job.path / VERDICTS):
        if line["candidate"] == candidate and line["row"] in by_row:
            by_row[line["row"]] = replace(
                by_row[line["row"]], score=line["score"], correct=line["score"] >= 1
            )
    return list(by_row.values())


def answer_rows(
    job: JobDir,
    candidate: str,
    asker: Asker,
    rows: Sequence[Row],
    metric: str,
    on_row: Callable[[int], None],
) -> list[Answer]:
    """Have the candidate answer each row that it has not answered yet; `on_row` is told how many are done."""
    answers = {answer.row: answer for answer in answers_so_far(job, candidate)}
    end_torn_line(job.path / _ITEMS)
    for reply in asker.ask([row for row in rows if row.id not in answers]):
        answer = _answer(candidate, reply, metric)
        answers[answer.row] = answer
        append_line(job.path / _ITEMS, asdict(answer))
        on_row(len(answers))
    return [answers[row.id] for row in rows]


def _answer(candidate: str, reply: Reply, metric: str) -> Answer:
    row, likelihood = reply.row, reply.likelihood
    score = -bits_per_byte([likelihood]) if likelihood else _score(metric, reply)
    return Answer(
        candidate=candidate,
        row=row.id,
        label=row.label,
        prediction=reply.prediction,
        correct=score >= 1,
        score=score,
        busy_s=round(reply.busy_s, 6),
        latency_s=None if reply.latency_s is None else round(reply.latency_s, 6),
        tokens=reply.tokens,
        first_token_s=reply.first_token_s,
        references=list(row.references),
        category=row.category,
        log_likelihoods=reply.log_likelihoods,
        log_likelihood=likelihood.log_likelihood if likelihood else None,
        utf8_bytes=likelihood.utf8_bytes if likelihood else 0,
        is_cut_off=reply.is_cut_off,
        problem=reply.problem,
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        usd=reply.usd,
    )


def _score(metric: str, reply: Reply) -> float:
    """By the deciding metric; one that only all rows together have leaves each row right or wrong."""
    if metric == JUDGED:
        return 0.0
    per_item = METRICS[metric].per_item or METRICS["accuracy"].per_item
    assert per_item is not None  # noqa: S101 - accuracy has one
    return per_item(reply.prediction, [reply.row.label, *reply.row.references])


def figures(
    answers: Sequence[Answer], *, seed: int, task: DatasetTask = "classification"
) -> dict[str, dict[str, Any]]:
    """Compute the metrics of a result, each with its value, 95% interval, number of rows, unit and direction."""
    if task == _TEXTS:
        return {name: _likelihood_figure(name, answers, seed) for name in _LIKELIHOODS}
    if task == "chat":
        return {JUDGED: _judged_figure(answers, seed)}
    return {
        metric.name: _figure(metric, answers, seed) for metric in map(METRICS.__getitem__, METRIC_NAMES[task])
    }


def by_category(answers: Sequence[Answer]) -> dict[str, dict[str, float]]:
    """Mean score and number of rows of each category."""
    groups: dict[str, list[float]] = {}
    for answer in answers:
        if answer.category is not None:
            groups.setdefault(answer.category, []).append(answer.score)
    return {name: {"value": sum(of) / len(of), "n": len(of)} for name, of in sorted(groups.items())}


def speed(answers: Sequence[Answer]) -> dict[str, float | None]:
    """Compute latency of a single request and throughput, from the time that the rows took."""
    tokens, busy_s = sum(answer.tokens for answer in answers), sum(answer.busy_s for answer in answers)
    latencies_s = [answer.latency_s for answer in answers if answer.latency_s is not None]
    firsts_s = [answer.first_token_s for answer in answers if answer.first_token_s is not None]
    p50, p95 = np.percentile(latencies_s, [50, 95]) if latencies_s else (None, None)
    return {
        "tokens_per_s": tokens / busy_s if tokens and busy_s else None,
        "latency_p50_s": None if p50 is None else float(p50),
        "latency_p95_s": None if p95 is None else float(p95),
        "first_token_p50_s": float(np.median(firsts_s)) if firsts_s else None,
    }


def spending(answers: Sequence[Answer]) -> dict[str, Any]:
    """What a hosted model cost, and which of its answers count as wrong because there was none to use."""
    asked = [answer for answer in answers if answer.problem != "failed"]
    counts = Counter(answer.problem for answer in answers)
    return {
        "usd": _total([answer.usd for answer in asked]),
        "input_tokens": _total([answer.input_tokens for answer in asked]),
        "output_tokens": _total([answer.output_tokens for answer in asked]),
        "answers_failed": counts["failed"],
        "answers_refused": counts["refused"],
        "answers_empty": counts["empty"],
        "answers_without_label": counts["no-label"],
    }


def _total(values: Sequence[float | None]) -> float | None:
    """The sum; None when a part of it is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


_TEXTS: DatasetTask = "language-modelling"
_LIKELIHOODS = {"bits_per_byte": bits_per_byte, "perplexity": perplexity}


def _figure(metric: Metric, answers: Sequence[Answer], seed: int) -> dict[str, Any]:
    predictions = [answer.prediction for answer in answers]
    references = [[answer.label, *answer.references] for answer in answers]

    def of(rows: Sequence[int]) -> float:
        return metric.compute([predictions[i] for i in rows], [references[i] for i in rows])

    n = len(answers)
    value = metric.compute(predictions, references)
    if metric.name in _RIGHT_OR_WRONG:
        interval = wilson(round(value * n), n)
    else:
        interval = _bootstrap(of, n, seed, _RESAMPLES[metric.unit])
    return {
        "value": value,
        "ci95": list(interval),
        "n": n,
        "unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
    }


def _judged_figure(answers: Sequence[Answer], seed: int) -> dict[str, Any]:
    scores = [answer.score for answer in answers]
    interval = _bootstrap(lambda rows: fmean(scores[i] for i in rows), len(scores), seed, _RESAMPLES["frac"])
    return {
        "value": fmean(scores),
        "ci95": list(interval),
        "n": len(scores),
        "unit": "frac",
        "higher_is_better": True,
    }


def _likelihood_figure(name: str, answers: Sequence[Answer], seed: int) -> dict[str, Any]:
    compute = _LIKELIHOODS[name]
    texts = [
        TextLikelihood(
            log_likelihood=answer.log_likelihood or 0.0,
            tokens=answer.tokens - 1,
            utf8_bytes=answer.utf8_bytes,
        )
        for answer in answers
    ]
    interval = _bootstrap(
        lambda rows: compute([texts[i] for i in rows]), len(texts), seed, _RESAMPLES["frac"]
    )
    unit = "bits" if name == "bits_per_byte" else "tokens"
    return {
        "value": compute(texts),
        "ci95": list(interval),
        "n": len(texts),
        "unit": unit,
        "higher_is_better": False,
    }


def _bootstrap(
    compute: Callable[[Sequence[int]], float], n: int, seed: int, resamples: int
) -> tuple[float, float]:
    """Percentiles of the metric over rows drawn again with replacement; always holds the value itself."""
    generator = np.random.default_rng(seed)
    values = [compute(range(n)), *_drawn(compute, n, generator, resamples)]
    low, high = np.percentile(values, [2.5, 97.5])
    return min(float(low), values[0]), max(float(high), values[0])


def _drawn(
    compute: Callable[[Sequence[int]], float], n: int, generator: np.random.Generator, resamples: int
) -> Iterable[float]:
    return (compute(generator.integers(0, n, n).tolist()) for _ in range(resamples))
