"""A finished evaluation, as its report, its picture and its tables see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune.columns import Row
from finetune.recipes.answers import Answer
from finetune.spec import EvaluationSpec

PER_ANSWERS = 1000
"""What something costs is told for so many answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The result with everything that was said on the way to it."""

    result: Mapping[str, Any]
    answers: Mapping[str, Sequence[Answer]]
    """Of each candidate that was measured."""
    rows: Sequence[Row]
    """Those that were there to be asked."""
    spec: EvaluationSpec

    @property
    def candidates(self) -> list[Mapping[str, Any]]:
        """All of them, as the result tells of them."""
        return list(self.result["candidates"])

    @property
    def measured(self) -> list[Mapping[str, Any]]:
        """Those that did not fail."""
        return [row for row in self.candidates if row["stopped"] != "failed"]

    @property
    def ranked(self) -> list[Mapping[str, Any]]:
        """All of them: the leader, the others by the deciding metric, those that left the race, those that failed."""
        return sorted(self.candidates, key=self._rank)

    def _rank(self, row: Mapping[str, Any]) -> tuple[bool, bool, bool, float]:
        figure = row["metrics"].get(self.metric) or {"value": 0.0}
        sign = 1 if figure.get("higher_is_better") is False else -1
        ends = (
            row["stopped"] == "failed",
            row["label"] != self.result["leader"],
            row["stopped"] == "eliminated",
        )
        return *ends, sign * float(figure["value"] or 0.0)

    @property
    def leader(self) -> Mapping[str, Any]:
        """The row of the best so far."""
        return next(row for row in self.measured if row["label"] == self.result["leader"])

    @property
    def metric(self) -> str:
        """The one that decides."""
        return str(self.result["metric"])

    def seconds_per_1000(self, row: Mapping[str, Any]) -> float | None:
        """Time of the machine for a thousand answers, as they were asked: in batches."""
        answers = self.answers.get(row["label"], ())
        return PER_ANSWERS * sum(answer.busy_s for answer in answers) / len(answers) if answers else None


def per_1000(row: Mapping[str, Any], name: str) -> float | None:
    """A total of the row, such as its dollars, for a thousand answers; None where it is not known."""
    total, items = row.get(name), row.get("items_seen") or 0
    return None if total is None or not items else PER_ANSWERS * float(total) / items
