"""Turn predicted and true labels into F1 over all rows; with one label a row it equals accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from finetune.metrics.base import Metric, References, Sums, Table
from finetune.metrics.counts import count, label_table


def f1_micro(predictions: Sequence[str], references: References) -> float:
    """2 * hits / (predicted + true), summed over the labels."""
    counts = count(predictions, references)
    return 2 * counts.hits.total() / (counts.predicted.total() + counts.true.total())


def _of_sums(sums: Table) -> Table:
    predicted, true, hits = (part.sum(axis=1) for part in np.split(sums, 3, axis=1))
    found: Table = 2 * hits / (predicted + true)
    return found


METRIC = Metric(
    name="f1_micro",
    unit="frac",
    higher_is_better=True,
    compute=f1_micro,
    sums=Sums(of_rows=label_table, value=_of_sums),
)
