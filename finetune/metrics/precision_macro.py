"""Turn predicted and true labels into precision averaged over labels, each label counting the same."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from finetune.metrics.base import Metric, References
from finetune.metrics.counts import count, share, shares, sums_over_labels


def precision_macro(predictions: Sequence[str], references: References) -> float:
    """Of the rows given a label, the share that has it: the mean over all labels that were predicted or true."""
    counts = count(predictions, references)
    return fmean(share(counts.hits[label], counts.predicted[label]) for label in counts.labels)


METRIC = Metric(
    name="precision_macro",
    unit="frac",
    higher_is_better=True,
    compute=precision_macro,
    sums=sums_over_labels(lambda predicted, _true, hits: shares(hits, predicted)),
)
