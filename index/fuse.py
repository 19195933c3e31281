"""Turn the ranking by meaning and the ranking by words into one, and show each thing once.

The two scores have nothing in common, so each becomes a standard score among the best of its own list before
they are added; meaning weighs less, as it fails more badly on texts unlike those the model was trained on.
`benchmarks/retrieval.py` measures it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean, pstdev

from index.bilingual import Language
from index.embed import Matrix
from index.records import Passage
from index.words import tokens

_SAME_WORDS_FRAC = 0.85
"""Two passages that share so much of their words say the same."""

_MEANING_WEIGHT = 0.8

Scores = Mapping[int, float]
"""Row to score, for the best of a list."""


def fused(dense: Scores, words: Scores, n_listed: int) -> list[tuple[int, float]]:
    """Rows with the sum of their standard scores, best first; off a list counts as its end.

    `n_listed` is how many rows each list could hold: rows that share no word are not in `words`, and score 0.
    """
    by_meaning, meaning_floor = _standard(list(dense.values()), len(dense))
    by_words, words_floor = _standard(list(words.values()), n_listed)
    meaning, wording = dict(zip(dense, by_meaning, strict=True)), dict(zip(words, by_words, strict=True))
    total = {
        row: _MEANING_WEIGHT * meaning.get(row, meaning_floor) + wording.get(row, words_floor)
        for row in {**meaning, **wording}
    }
    return sorted(total.items(), key=lambda item: -item[1])


def _standard(scores: list[float], n: int) -> tuple[list[float], float]:
    """Standard scores among `n`, of which those that are not given score 0; and that of the last of the `n`."""
    everything = scores + [0.0] * (n - len(scores))
    spread = pstdev(everything) if everything else 0.0
    if spread == 0:
        return [0.0] * len(scores), 0.0
    mean = fmean(everything)
    return [(score - mean) / spread for score in scores], (everything[-1] - mean) / spread


def distinct(
    ranking: Iterable[tuple[Passage, float]], twins: Mapping[str, Passage], language: Language
) -> Iterator[tuple[Passage, float]]:
    """The ranking, each thing once: near-duplicates go, and a passage gives way to its twin in `language`."""
    seen: list[set[str]] = []
    shown: set[str] = set()
    for found, score in ranking:
        passage = twins.get(found.id, found) if found.language != language else found
        words = set(tokens(passage.text))
        if passage.id in shown or any(_same(words, other) for other in seen):
            continue
        shown.add(passage.id)
        seen.append(words)
        yield passage, score


def _same(a: set[str], b: set[str]) -> bool:
    return len(a & b) > _SAME_WORDS_FRAC * len(a | b)


def twins_of(articles: Sequence[Passage], vectors: Matrix) -> dict[str, Passage]:
    """By id, the section that says the same in the other language: each is the nearest to the other in its topic."""
    topics: dict[str | None, dict[Language, list[int]]] = defaultdict(lambda: {"en": [], "zh": []})
    for row, article in enumerate(articles):
        topics[article.topic][article.language].append(row)
    twins: dict[str, Passage] = {}
    for rows in topics.values():
        for english, chinese in _mutually_nearest(vectors, rows["en"], rows["zh"]):
            twins[articles[english].id] = articles[chinese]
            twins[articles[chinese].id] = articles[english]
    return twins


def _mutually_nearest(vectors: Matrix, ours: list[int], theirs: list[int]) -> Iterator[tuple[int, int]]:
    if not ours or not theirs:
        return
    cosines = vectors[ours] @ vectors[theirs].T
    back = cosines.argmax(axis=0)
    for i, j in enumerate(cosines.argmax(axis=1)):
        if back[j] == i:
            yield ours[i], theirs[j]
