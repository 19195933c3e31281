"""Turn predicted and true labels into the mean recall over labels, so that a rare label counts as much."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from finetune.metrics.base import Metric, References, labels_of
from finetune.metrics.counts import shares, sums_over_labels


def balanced_accuracy(predictions: Sequence[str], references: References) -> float:
    """Mean over the true labels of the fraction of their rows that were recognised."""
    hits: dict[str, list[bool]] = {}
    for prediction, label in zip(predictions, labels_of(predictions, references), strict=True):
        hits.setdefault(label, []).append(prediction == label)
    return fmean(fmean(of_label) for of_label in hits.values())


METRIC = Metric(
    name="balanced_accuracy",
    unit="frac",
    higher_is_better=True,
    compute=balanced_accuracy,
    sums=sums_over_labels(lambda _predicted, true, hits: shares(hits, true), is_of_true_labels=True),
)
