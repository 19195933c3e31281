"""Turn one question into the passages near it in meaning and in words, ranked, and into a verdict on them.

Two rounds: the best passages of the first lend the second their telling words and some of their meaning
(pseudo-relevance feedback), so that it also finds what says the same in other words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from index.bilingual import Language
from index.fuse import distinct, fused, twins_of
from index.gate import Background, Signals, background_of, is_answerable
from index.ingest import detect_language, in_context, wording
from index.library import Library
from index.records import Passage
from index.views import View
from index.words import has_han, weights_of

_N_CANDIDATES = 200
_N_FEEDBACK = 3
_FEEDBACK_WEIGHT = 0.3
_FETCHED_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Ours:
    """What is known of our own articles beside their text, under one embedding model."""

    twins: dict[str, Passage]
    """By id, the same section in the other language."""
    background: Background | None
    """None while they are being embedded, or when there are none."""

    @classmethod
    def read(cls, library: Library) -> Ours:
        """Work it out from the vectors that there are."""
        articles, vectors = library.passages.articles(library.model_id)
        is_complete = articles and library.is_embedded
        background = background_of(library.probes(), vectors) if is_complete else None
        return cls(twins_of(articles, vectors), background)


class Search:
    """One question put to what its asker may see. `vector` is None when the embedding model does not answer: words then
    decide."""

    def __init__(self, view: View, ours: Ours, query: str, vector: Sequence[float] | None) -> None:
        self._view = view
        self._ours = ours
        self._query = query
        self._vector = vector

    def best(self, k: int, language: Language | None = None) -> list[tuple[Passage, float]]:
        """The `k` best passages with their scores, each thing once and in the language asked for."""
        language = language or detect_language(self._query)
        return list(islice(distinct(self._passages(self._ranking), self._ours.twins, language), k))

    def answers(self, passages: Sequence[Passage]) -> bool:
        """True when the passages are likely to hold the answer, and are not just the least unlike."""
        words = self._view.words
        asked = weights_of(self._query)
        ceiling = words.ceiling(asked)
        signals = Signals(
            nearness=self._nearness(),
            bm25_frac=max(self._words.values(), default=0.0) / ceiling if ceiling else 0.0,
            coverage_frac=max(words.coverage_frac(self._query, wording(passage)) for passage in passages),
            n_words=len(asked),
        )
        return is_answerable(signals)

    def _nearness(self) -> float | None:
        if not self._dense or self._ours.background is None:
            return None
        language: Language = "zh" if has_han(self._query) else "en"
        return self._ours.background.nearness(max(self._dense.values()), language)

    def by_words(self, k: int) -> list[tuple[Passage, float]]:
        """The `k` passages that share most words, as the search would be without vectors."""
        return list(islice(self._passages(list(self._words.items())), k))

    def by_meaning(self, k: int) -> list[tuple[Passage, float]]:
        """The `k` passages with the nearest vectors, as the search would be without words."""
        return list(islice(self._passages(list(self._dense.items())), k))

    @cached_property
    def _dense(self) -> dict[int, float]:
        return self._nearest(self._vector)

    @cached_property
    def _words(self) -> dict[int, float]:
        return self._view.words.search(weights_of(self._query), _N_CANDIDATES)

    @cached_property
    def _ranking(self) -> list[tuple[int, float]]:
        """The first round's best, then the second round: feedback finds more, but does not overthrow the best."""
        first = self._fused(self._dense, self._words)
        feedback = self._view.passages.at(row for row, _ in first[:_N_FEEDBACK])
        widened = self._view.words.widened(self._query, [in_context(p) for p in feedback.values()])
        words = self._view.words.search(widened, _N_CANDIDATES)
        second = self._fused(self._nearest(self._moved_towards(list(feedback))), words)
        best_score = max((score for _, score in (first + second)), default=0.0)
        return [(row, best_score) for row, _ in first[:1]] + [hit for hit in second if hit[0] != first[0][0]]

    def _fused(self, dense: dict[int, float], words: dict[int, float]) -> list[tuple[int, float]]:
        return fused(dense, words, max(len(dense), len(words)))

    def _nearest(self, vector: Sequence[float] | None) -> dict[int, float]:
        """Cosines of the nearest passages by row, best first."""
        return {} if vector is None else dict(self._view.store.index().search(vector, _N_CANDIDATES))

    def _moved_towards(self, rows: Sequence[int]) -> Sequence[float] | None:
        """The question's vector, moved towards the mean of some passages'."""
        vectors = self._view.passages.vectors_at(rows, self._view.model_id)
        if self._vector is None or not len(vectors):
            return self._vector
        moved: list[float] = (np.asarray(self._vector) + _FEEDBACK_WEIGHT * vectors.mean(axis=0)).tolist()
        return moved

    def _passages(self, ranking: Sequence[tuple[int, float]]) -> Iterator[tuple[Passage, float]]:
        """The ranked passages that are still there, read as far as they are wanted."""
        for start in range(0, len(ranking), _FETCHED_AT_ONCE):
            some = ranking[start : start + _FETCHED_AT_ONCE]
            found = self._view.passages.at(row for row, _ in some)
            yield from ((found[row], score) for row, score in some if row in found)
