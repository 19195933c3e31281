"""Turn predicted and true labels into F1 averaged over labels, each label counting the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from finetune.metrics.base import Metric, require_pairs


def f1_macro(predictions: Sequence[str], targets: Sequence[str]) -> float:
    """Mean over all labels that were predicted or true of 2 * hits / (predicted + true)."""
    require_pairs(predictions, targets)
    predicted, true = Counter(predictions), Counter(targets)
    hits = Counter(p for p, t in zip(predictions, targets, strict=True) if p == t)
    return fmean(2 * hits[label] / (predicted[label] + true[label]) for label in predicted | true)


METRIC = Metric(name="f1_macro", unit="frac", higher_is_better=True, compute=f1_macro)
