"""Turn answers and reference answers into the fraction that match, forgiving case, width and outer spaces."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from finetune.metrics.base import Metric, mean_of


def matches(prediction: str, references: Sequence[str]) -> float:
    """1 for a prediction equal to a reference, ignoring case, full width, outer spaces and a final stop."""
    return float(_plain(prediction) in map(_plain, references))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().rstrip(".。").strip().casefold()


METRIC = Metric(
    name="exact_match", unit="frac", higher_is_better=True, compute=mean_of(matches), per_item=matches
)
