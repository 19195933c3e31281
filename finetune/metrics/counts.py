"""Turn predicted and true labels into hits and counts per label: what precision, recall and F1 are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from finetune.metrics.base import References, Sums, Table, labels_of


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each label was predicted, was true, and both on one row."""

    predicted: Counter[str]
    true: Counter[str]
    hits: Counter[str]

    @property
    def labels(self) -> list[str]:
        """All labels that were predicted or true."""
        return sorted(self.predicted | self.true)


def count(predictions: Sequence[str], references: References) -> Counts:
    """Count one label a row."""
    true = labels_of(predictions, references)
    hits = Counter(p for p, t in zip(predictions, true, strict=True) if p == t)
    return Counts(Counter(predictions), Counter(true), hits)


def share(part: int, whole: int) -> float:
    """0 of nothing is 0, as scikit-learn has it."""
    return part / whole if whole else 0.0


OfLabels = Callable[[Table, Table, Table], Table]
"""(predicted, true, hits), each draws x labels -> the figure of each label."""


def sums_over_labels(of_labels: OfLabels, *, is_of_true_labels: bool = False) -> Sums:
    """A mean over labels: over all that were predicted or true, or only over those that were true."""

    def value(sums: Table) -> Table:
        predicted, true, hits = np.split(sums, 3, axis=1)
        is_there = true > 0 if is_of_true_labels else predicted + true > 0
        of_each = np.where(is_there, of_labels(predicted, true, hits), 0.0)
        found: Table = of_each.sum(axis=1) / is_there.sum(axis=1)
        return found

    return Sums(of_rows=label_table, value=value)


def label_table(predictions: Sequence[str], references: References) -> Table:
    """For each row a 1 at the label that was predicted, at the true one, and at the one that was hit."""
    true = labels_of(predictions, references)
    places = {label: i for i, label in enumerate(sorted({*predictions, *true}))}
    table = np.zeros((len(true), 3, len(places)))
    for row, (said, label) in enumerate(zip(predictions, true, strict=True)):
        table[row, 0, places[said]] = table[row, 1, places[label]] = 1
        table[row, 2, places[label]] = said == label
    return table.reshape(len(true), -1)


def shares(parts: Table, wholes: Table) -> Table:
    """As `share`, for many at once."""
    found: Table = np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)
    return found
