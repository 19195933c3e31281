"""Turn predicted and true labels into the mean recall over labels, so that a rare label counts as much."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from finetune.metrics.base import Metric, require_pairs


def balanced_accuracy(predictions: Sequence[str], targets: Sequence[str]) -> float:
    """Mean over the true labels of the fraction of their rows that were recognised."""
    require_pairs(predictions, targets)
    hits: dict[str, list[bool]] = {}
    for prediction, target in zip(predictions, targets, strict=True):
        hits.setdefault(target, []).append(prediction == target)
    return fmean(fmean(of_label) for of_label in hits.values())


METRIC = Metric(name="balanced_accuracy", unit="frac", higher_is_better=True, compute=balanced_accuracy)
