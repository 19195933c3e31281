"""Turn predicted and true labels into hits and counts per label: what precision, recall and F1 are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from finetune.metrics.base import References, labels_of


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
