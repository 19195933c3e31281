"""Turn predicted and true labels into F1 over all rows; with one label a row it equals accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from finetune.metrics.base import Metric, References
from finetune.metrics.counts import count


def f1_micro(predictions: Sequence[str], references: References) -> float:
    """2 * hits / (predicted + true), summed over the labels."""
    counts = count(predictions, references)
    return 2 * counts.hits.total() / (counts.predicted.total() + counts.true.total())


METRIC = Metric(name="f1_micro", unit="frac", higher_is_better=True, compute=f1_micro)
