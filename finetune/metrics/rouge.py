"""Turn summaries and reference summaries into ROUGE-1, ROUGE-2 and ROUGE-L (F-measure; Lin, 2004).

Without stemming, as rouge-score computes it; Chinese goes by characters. Of several references the best counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from finetune.metrics.base import ItemScore, Metric, mean_of
from finetune.metrics.text import tokens


def _best(score: Callable[[list[str], list[str]], float]) -> ItemScore:
    def of_row(prediction: str, references: Sequence[str]) -> float:
        said = tokens(prediction)
        return max(score(said, tokens(reference)) for reference in references)

    return of_row


def _n_grams(n: int) -> Callable[[list[str], list[str]], float]:
    def score(said: list[str], true: list[str]) -> float:
        ours, theirs = _grams(said, n), _grams(true, n)
        return _f_measure((ours & theirs).total(), ours.total(), theirs.total())

    return score


def _grams(words: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def _longest_common(said: list[str], true: list[str]) -> float:
    row = [0] * (len(true) + 1)
    for word in said:
        diagonal = 0
        for i, other in enumerate(true, start=1):
            above = row[i]
            row[i] = diagonal + 1 if word == other else max(above, row[i - 1])
            diagonal = above
    return _f_measure(row[-1], len(said), len(true))


def _f_measure(common: int, said: int, true: int) -> float:
    return 2 * common / (said + true) if common else 0.0


def _metric(name: str, score: Callable[[list[str], list[str]], float]) -> Metric:
    of_row = _best(score)
    return Metric(name=name, unit="frac", higher_is_better=True, compute=mean_of(of_row), per_item=of_row)


ROUGE_1 = _metric("rouge1", _n_grams(1))
ROUGE_2 = _metric("rouge2", _n_grams(2))
ROUGE_L = _metric("rougeL", _longest_common)
