"""Turn predicted and true labels into the fraction that agree."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from finetune.metrics.base import Metric, require_pairs


def accuracy(predictions: Sequence[str], targets: Sequence[str]) -> float:
    """Fraction of predictions equal to their target."""
    require_pairs(predictions, targets)
    return fmean(p == t for p, t in zip(predictions, targets, strict=True))


METRIC = Metric(name="accuracy", unit="frac", higher_is_better=True, compute=accuracy)
