"""Turn answers and reference answers into their overlap in tokens, as question answering is scored (SQuAD)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from finetune.metrics.base import Metric, mean_of
from finetune.metrics.text import tokens

_ARTICLES = frozenset({"a", "an", "the"})


def overlap(prediction: str, references: Sequence[str]) -> float:
    """The best F1 of the tokens over the references; articles do not count, Chinese goes by characters.

    Rajpurkar et al., "SQuAD" (EMNLP 2016).
    """
    return max(_f1(_answer_tokens(prediction), _answer_tokens(reference)) for reference in references)


def _answer_tokens(text: str) -> Counter[str]:
    return Counter(token for token in tokens(text) if token not in _ARTICLES)


def _f1(predicted: Counter[str], true: Counter[str]) -> float:
    if not predicted or not true:
        return float(predicted == true)
    return 2 * (predicted & true).total() / (predicted.total() + true.total())


METRIC = Metric(
    name="token_f1", unit="frac", higher_is_better=True, compute=mean_of(overlap), per_item=overlap
)
