"""Turn predicted and true labels into the fraction that agree."""

from __future__ import annotations

from collections.abc import Sequence

from finetune.metrics.base import Metric, mean_of


def is_right(prediction: str, references: Sequence[str]) -> float:
    """1 for a prediction equal to a reference, else 0."""
    return float(prediction in references)


METRIC = Metric(
    name="accuracy", unit="frac", higher_is_better=True, compute=mean_of(is_right), per_item=is_right
)
