"""Turn answers and reference answers into the fraction that match, forgiving case and outer spaces."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from finetune.metrics.base import Metric, require_pairs


def exact_match(predictions: Sequence[str], targets: Sequence[str]) -> float:
    """Fraction of predictions equal to their target, ignoring case and outer spaces."""
    require_pairs(predictions, targets)
    pairs = zip(predictions, targets, strict=True)
    return fmean(p.strip().casefold() == t.strip().casefold() for p, t in pairs)


METRIC = Metric(name="exact_match", unit="frac", higher_is_better=True, compute=exact_match)
