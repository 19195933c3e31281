"""Turn texts and reference texts into chrF by sacrebleu: overlap of character n-grams, for any language."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from finetune.metrics.base import Metric, References, require_pairs
from finetune.metrics.bleu import columns


def chrf(predictions: Sequence[str], references: References) -> float:
    """chrF of all rows, from 0 to 100. Popović (2015)."""
    require_pairs(predictions, references)
    return float(_scorer().corpus_score(list(predictions), columns(references)).score)


def of_row(prediction: str, references: Sequence[str]) -> float:
    """chrF of one row."""
    return min(1.0, float(_scorer().sentence_score(prediction, list(references)).score) / 100)


@lru_cache
def _scorer() -> Any:
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415 - only texts need it

    return CHRF()


METRIC = Metric(name="chrf", unit="points", higher_is_better=True, compute=chrf, per_item=of_row)
