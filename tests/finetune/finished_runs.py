"""Builders of finished evaluations, made up: answers, rows and results as the recipe hands them to its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finetune.columns import Row
from finetune.recipes.answers import Answer, by_category, speed
from finetune.recipes.finished import Finished
from finetune.spec import Candidate, DatasetRef, EvaluationSpec

LABELS = ("billing", "refund")
NAMES = ("good", "fair", "poor")


def row(number: int, **more: Any) -> Row:
    values = {"id": f"r{number}", "text": f"ticket {number}", "label": LABELS[number % 2], **more}
    return Row(**values)


def answer(candidate: str, of: Row, prediction: str, **more: Any) -> Answer:
    is_right = prediction == of.label
    values: dict[str, Any] = {
        "candidate": candidate, "row": of.id, "label": of.label, "prediction": prediction, "correct": is_right,
        "score": float(is_right), "busy_s": 0.5, "latency_s": 0.6, "tokens": 10, "category": of.category, **more,
    }  # fmt: skip
    return Answer(**values)


def figures(answers: Sequence[Answer]) -> dict[str, Any]:
    """Accuracy as it is, with an interval that is made up; computing all of them takes seconds."""
    value, n = sum(answer.correct for answer in answers) / len(answers), len(answers)
    figure = {
        "value": value, "ci95": [value - 0.1, value], "n": n, "unit": "frac", "higher_is_better": True
    }  # fmt: skip
    return {"accuracy": figure, "f1_macro": {**figure, "value": value - 0.01, "ci95": [value - 0.1, value]}}


def candidate(name: str, answers: Sequence[Answer], **more: Any) -> dict[str, Any]:
    return {
        "label": name, "model": name, "quantization": "none", "adapter": None, "metrics": figures(answers),
        **speed(answers), "peak_memory_gib": 1.5, "load_time_s": 2.0, "items_seen": len(answers), "reason": None,
        "reason_zh": None, "stopped": "finished", "by_category": by_category(answers), "revision": "abc", **more,
    }  # fmt: skip


def failed_candidate(name: str) -> dict[str, Any]:
    return {
        "label": name, "model": name, "quantization": "none", "adapter": None, "metrics": {}, "tokens_per_s": None,
        "latency_p50_s": None, "latency_p95_s": None, "peak_memory_gib": None, "items_seen": 0,
        "stopped": "failed", "reason": "Out of {memory}.", "reason_zh": "内存 {不足}。",
    }  # fmt: skip


def finished(
    n_candidates: int = 2,
    *,
    rows: Sequence[Row] = (),
    names: Sequence[str] = NAMES,
    wrong: Mapping[str, Sequence[int]] | None = None,
    spec: Mapping[str, Any] | None = None,
    more: Mapping[str, Mapping[str, Any]] | None = None,
    **changes: Any,
) -> Finished:
    """`wrong`: numbers of the rows that a candidate gets wrong; by default the k-th one misses its first k rows."""
    rows = rows or [row(number) for number in range(12)]
    names = names[:n_candidates]
    wrong = wrong or {name: range(k) for k, name in enumerate(names)}
    answers = {
        name: [
            answer(name, of, of.label if n not in wrong.get(name, ()) else LABELS[1 - LABELS.index(of.label)])
            for n, of in enumerate(rows)
        ]
        for name in names
    }
    dataset = DatasetRef(name="tickets.csv", sha256="a" * 64, rows=20, labels=LABELS)
    asked = {"candidates": tuple(Candidate(model=name) for name in names), "dataset": dataset, **(spec or {})}
    pair = {"a": names[0], "b": names[-1], "metric": "accuracy", "difference": 0.1, "ci95": [0.01, 0.2],
            "p_value": 0.0001, "method": "exact", "n": len(rows), "a_only": 3, "b_only": 1}  # fmt: skip
    result = {
        "candidates": [candidate(name, answers[name], **(more or {}).get(name, {})) for name in names],
        "comparisons": [pair] if len(names) > 1 else [], "winner": names[0], "leader": names[0], "verdict": "winner",
        "delta": 0.05, "metric": "accuracy", "more_rows_needed": None, "share_of_full_cost": 1.0,
        "dataset": {"name": dataset.name, "sha256": dataset.sha256, "rows": 20, "rows_used": len(rows),
                    "rows_left_out": 0, "labels": list(LABELS), "task": "classification"},
        "environment": {"device": "CPU", "torch": "2.13"}, **changes,
    }  # fmt: skip
    return Finished(result=result, answers=answers, rows=list(rows), spec=EvaluationSpec(**asked))
