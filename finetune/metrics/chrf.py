"""Turn texts and reference texts into chrF by sacrebleu: overlap of character n-grams, for any language."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from finetune.metrics.base import Metric, References, Sums, Table, require_pairs
from finetune.metrics.bleu import columns


def chrf(predictions: Sequence[str], references: References) -> float:
    """chrF of all rows, from 0 to 100. Popović (2015)."""
    require_pairs(predictions, references)
    return float(_scorer().corpus_score(list(predictions), columns(references)).score)


def of_row(prediction: str, references: Sequence[str]) -> float:
    """chrF of one row."""
    return min(1.0, float(_scorer().sentence_score(prediction, list(references)).score) / 100)


def _of_rows(predictions: Sequence[str], references: References) -> Table:
    """n-grams of each row that were written, are right, and both, as sacrebleu counts them."""
    found = _scorer()._extract_corpus_statistics(list(predictions), columns(references))
    return np.array(found, dtype=float)


def _of_sums(sums: Table) -> Table:
    return np.array([_scorer()._compute_f_score(of_draw) for of_draw in sums.tolist()])


@lru_cache
def _scorer() -> Any:
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415 - only texts need it

    return CHRF()


METRIC = Metric(
    name="chrf",
    unit="points",
    higher_is_better=True,
    compute=chrf,
    per_item=of_row,
    sums=Sums(of_rows=_of_rows, value=_of_sums),
)
