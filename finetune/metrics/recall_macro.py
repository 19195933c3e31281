"""Turn predicted and true labels into recall averaged over labels, each label counting the same."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from finetune.metrics.base import Metric, References
from finetune.metrics.counts import count, share, shares, sums_over_labels


def recall_macro(predictions: Sequence[str], references: References) -> float:
    """Of the rows that have a label, the share given it: the mean over all labels that were predicted or true."""
    counts = count(predictions, references)
    return fmean(share(counts.hits[label], counts.true[label]) for label in counts.labels)


METRIC = Metric(
    name="recall_macro",
    unit="frac",
    higher_is_better=True,
    compute=recall_macro,
    sums=sums_over_labels(lambda _predicted, true, hits: shares(hits, true)),
)
