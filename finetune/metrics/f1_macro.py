"""Turn predicted and true labels into F1 averaged over labels, each label counting the same."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from finetune.metrics.base import Metric, References
from finetune.metrics.counts import count, share, shares, sums_over_labels


def f1_macro(predictions: Sequence[str], references: References) -> float:
    """Mean over all labels that were predicted or true of 2 * hits / (predicted + true)."""
    counts = count(predictions, references)
    return fmean(
        share(2 * counts.hits[label], counts.predicted[label] + counts.true[label]) for label in counts.labels
    )


METRIC = Metric(
    name="f1_macro",
    unit="frac",
    higher_is_better=True,
    compute=f1_macro,
    sums=sums_over_labels(lambda predicted, true, hits: shares(2 * hits, predicted + true)),
)
