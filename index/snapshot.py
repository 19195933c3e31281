"""Turn articles, team documents and their vectors into one searchable whole that never changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from index.bilingual import Language
from index.embed import Matrix, VectorCache
from index.fuse import distinct, fused, twins_of
from index.gate import PROBES, Background, background_of, is_answerable
from index.ingest import (
    SHIPPED_VECTORS,
    detect_language,
    document_of,
    in_context,
    passage_of,
    shipped_passages,
)
from index.library import Library, Shelf
from index.records import Passage
from index.words import WordIndex

_N_CANDIDATES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that a search needs, as it was at one moment. A newer one takes its place."""

    stamp: tuple[int, int] | None
    """Of the team's index, when it was read."""
    shelf: Shelf
    """The team's documents, their store filled up with our articles."""
    n_articles: int
    dimensions: int
    passages: dict[str, Passage]
    """By id, in the order of the rows of `words`."""
    names: tuple[str, ...]
    words: WordIndex
    twins: dict[str, str]
    background: Background

    def search(
        self, query: str, vector: list[float], k: int, language: Language | None
    ) -> list[tuple[Passage, float]]:
        """The `k` best passages with their scores, each thing once and in the language asked for."""
        ranking = fused(self._nearest(vector), self._sharing_words(query))
        found = distinct(ranking, self.passages, self.twins, language or detect_language(query))
        return list(islice(found, k))

    def answers(self, query: str, vector: list[float], hits: Sequence[Passage]) -> bool:
        """True when the hits are likely to hold the answer, and are not just the least unlike."""
        nearest = self._nearest(vector)
        cosines = [nearest.get(passage.id, min(nearest.values())) for passage in hits]
        coverage_frac = max(self.words.coverage_frac(query, in_context(passage)) for passage in hits)
        return is_answerable(cosines, list(nearest.values()), coverage_frac, self.background)

    def _nearest(self, vector: list[float]) -> dict[str, float]:
        """Cosines of the nearest passages, best first, by passage id."""
        found = self.shelf.store.similarity_search_with_score_by_vector(vector, _N_CANDIDATES)
        return {str(document.id): cosine for document, cosine in found}

    def _sharing_words(self, query: str) -> dict[str, float]:
        """BM25 scores of the best passages, best first, by passage id."""
        return {self.names[row]: score for row, score in self.words.search(query, _N_CANDIDATES)}


def take_snapshot(library: Library, own_cache: Path) -> Snapshot:
    """Read what is there now. Vectors of our articles that did not come with us are kept in `own_cache`."""
    stamp = library.stamp()  # first, so that a change while reading is seen by the next search
    shelf = library.read()
    articles = shipped_passages()
    vectors, probes = _vectors_of(articles, library, own_cache)
    shelf.store.add_documents([document_of(article) for article in articles], vectors=vectors)
    passages = {str(document.id): passage_of(document) for document in shelf.store.documents}
    return Snapshot(
        stamp=stamp,
        shelf=shelf,
        n_articles=len({article.source for article in articles}),
        dimensions=vectors.shape[1],
        passages=passages,
        names=tuple(passages),
        words=WordIndex([in_context(passage) for passage in passages.values()]),
        twins=twins_of(articles, vectors),
        background=background_of(probes, vectors),
    )


def _vectors_of(articles: Sequence[Passage], library: Library, own_cache: Path) -> tuple[Matrix, Matrix]:
    cache = VectorCache.load(SHIPPED_VECTORS, library.model_id)
    cache.update(VectorCache.load(own_cache, library.model_id))
    n_known = len(cache)
    vectors = cache.passages([in_context(article) for article in articles], library.embeddings)
    probes = cache.queries(PROBES, library.embeddings)
    if len(cache) > n_known:
        cache.save(own_cache)
    return vectors, probes
