"""Turn replies into a candidate's answers, kept row by row in items.jsonl, and answers into figures.

A run that was killed goes on behind the last row that is in the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from finetune.clusters import group_codes, n_units
from finetune.columns import Row
from finetune.comparison import measure_of, tally, value_on
from finetune.metrics import METRICS
from finetune.metrics.likelihood import TextLikelihood, bits_per_byte
from finetune.paired import share_interval
from finetune.recipes.asking import Asker, Problem, Reply
from finetune.recipes.job_dir import JobDir, append_line, end_torn_line, read_lines
from finetune.resampling import draw, interval95
from finetune.spec import JUDGED, METRIC_NAMES, DatasetTask

_ITEMS = "items.jsonl"
VERDICTS = "verdicts.jsonl"
"""What a judge said of the answers; until then their score is 0."""
_RESAMPLES = 1_000
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
    group: str | None = None
    """Rows of one group are not independent."""
    log_likelihoods: dict[str, float] = field(default_factory=dict)
    log_likelihood: float | None = None
    utf8_bytes: int = 0
    is_cut_off: bool = False
    problem: Problem | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    usd: float | None = None
    is_cached: bool = False
    """Taken from an earlier job; the times are those of when it was made."""


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
    """Have the candidate answer each row that it has not answered yet; `on_row` is told how many are done.

    Rows that memory does not suffice for have no answer.
    """
    answers = {answer.row: answer for answer in answers_so_far(job, candidate)}
    end_torn_line(job.path / _ITEMS)
    for reply in asker.ask([row for row in rows if row.id not in answers]):
        answer = _answer(candidate, reply, metric)
        answers[answer.row] = answer
        append_line(job.path / _ITEMS, asdict(answer))
        on_row(len(answers))
    return [answers[row.id] for row in rows if row.id in answers]


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
        group=row.group,
        log_likelihoods=reply.log_likelihoods,
        log_likelihood=likelihood.log_likelihood if likelihood else None,
        utf8_bytes=likelihood.utf8_bytes if likelihood else 0,
        is_cut_off=reply.is_cut_off,
        problem=reply.problem,
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        usd=reply.usd,
    )


_OF_THE_ROW = frozenset(
    {"candidate", "row", "label", "correct", "score", "references", "category", "group", "is_cached"}
)


def to_keep(answer: Answer) -> dict[str, Any]:
    """What stays of an answer for later jobs: all that does not follow from the row."""
    return {name: value for name, value in asdict(answer).items() if name not in _OF_THE_ROW}


def take_kept(
    job: JobDir, candidate: str, kept: Sequence[tuple[Row, Mapping[str, Any]]], metric: str
) -> None:
    """Give the candidate the answers that were kept for these rows, scored anew."""
    end_torn_line(job.path / _ITEMS)
    names = {field.name for field in fields(Answer)} - _OF_THE_ROW
    for row, line in kept:
        said = {name: value for name, value in line.items() if name in names}
        reply = Reply(row=row, prediction=line["prediction"], tokens=line["tokens"], busy_s=line["busy_s"])
        if line.get("log_likelihood") is not None:
            likelihood = TextLikelihood(
                log_likelihood=line["log_likelihood"],
                tokens=line["tokens"] - 1,
                utf8_bytes=line["utf8_bytes"],
            )
            reply = replace(reply, likelihood=likelihood)
        answer = replace(_answer(candidate, reply, metric), is_cached=True, **said)
        append_line(job.path / _ITEMS, asdict(answer))


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
    return {name: _figure(name, answers, seed) for name in METRIC_NAMES[task]}


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


def _figure(name: str, answers: Sequence[Answer], seed: int) -> dict[str, Any]:
    measure, n = measure_of(name), len(answers)
    of_rows, groups = tally(measure, answers), group_codes([answer.group for answer in answers])
    value = value_on(measure, of_rows)
    if name in _RIGHT_OR_WRONG:
        interval = share_interval(of_rows.scores.tolist(), groups)
    else:
        drawn = draw([of_rows.table], measure.of_sums.value, groups, resamples=_RESAMPLES, seed=seed)[0]
        interval = interval95(drawn, value, n, groups)
    return {
        "value": value,
        "ci95": list(interval),
        "n": n,
        "groups": None if groups is None else n_units(n, groups),
        "unit": measure.unit,
        "higher_is_better": measure.higher_is_better,
    }
