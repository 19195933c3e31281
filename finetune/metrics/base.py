"""What a metric is: a pure function on plain values, with its unit and direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

LabelMetric = Callable[[Sequence[str], Sequence[str]], float]
"""(predictions, targets) -> value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure that says how well predictions fit their targets."""

    name: str
    unit: str
    """frac: from 0 to 1."""
    higher_is_better: bool
    compute: LabelMetric


def require_pairs(predictions: Sequence[str], targets: Sequence[str]) -> None:
    """Refuse what no metric is defined on: no rows, or a prediction without its target."""
    if not targets or len(predictions) != len(targets):
        raise ValueError(f"{len(predictions)} predictions for {len(targets)} targets")
