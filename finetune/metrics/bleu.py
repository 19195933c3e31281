"""Turn translations and reference translations into BLEU by sacrebleu, Chinese by its own tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from finetune.metrics.base import Metric, References, Sums, Table, require_pairs
from finetune.metrics.text import is_chinese


def bleu(predictions: Sequence[str], references: References) -> float:
    """BLEU of all rows, from 0 to 100. Post, "A Call for Clarity in Reporting BLEU Scores" (2018)."""
    require_pairs(predictions, references)
    scorer = _scorer(is_chinese([of_row[0] for of_row in references]), is_of_one_row=False)
    return float(scorer.corpus_score(list(predictions), columns(references)).score)


def of_row(prediction: str, references: Sequence[str]) -> float:
    """Sentence BLEU with effective order."""
    scorer = _scorer(is_chinese(list(references)), is_of_one_row=True)
    return min(1.0, float(scorer.sentence_score(prediction, list(references)).score) / 100)


def _of_rows(predictions: Sequence[str], references: References) -> Table:
    """Lengths and matching n-grams of each row, as sacrebleu counts them."""
    scorer = _scorer(is_chinese([of_row[0] for of_row in references]), is_of_one_row=False)
    found = scorer._extract_corpus_statistics(list(predictions), columns(references))
    return np.array(found, dtype=float)


def _of_sums(sums: Table) -> Table:
    scorer = _scorer(False, is_of_one_row=False)
    return np.array([scorer._compute_score_from_stats(of_draw).score for of_draw in sums.tolist()])


def columns(references: References) -> list[list[str]]:
    """References as sacrebleu wants them: the first of every row, the second ...; a row's last is repeated."""
    most = max(map(len, references))
    return [[of_row[min(i, len(of_row) - 1)] for of_row in references] for i in range(most)]


@lru_cache
def _scorer(is_in_chinese: bool, *, is_of_one_row: bool) -> Any:
    from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415 - only texts need it

    return BLEU(tokenize="zh" if is_in_chinese else "13a", effective_order=is_of_one_row)


METRIC = Metric(
    name="bleu",
    unit="points",
    higher_is_better=True,
    compute=bleu,
    per_item=of_row,
    sums=Sums(of_rows=_of_rows, value=_of_sums),
)
