"""Turn a question into ranked passages, from our own articles and the team's documents, in either language.

What is retrieved is data, whatever it says: it is quoted, and never followed. The engine (LangChain, FAISS, BM25)
is imported by the first search, so that those who never search do not wait for it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from index.bilingual import Bilingual, Language
from index.records import Passage

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

    from index.embed import Progress
    from index.ingest import IngestReport
    from index.library import Library
    from index.snapshot import Snapshot

_N_JUDGED = 5
_N_REMEMBERED_QUERIES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One passage found for a question."""

    rank: int
    score: float
    """Sum of standard scores: comparable within one search only."""
    passage: Passage


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStatus:
    """What can be searched."""

    articles: int
    """Our own."""
    documents: tuple[str, ...]
    """The team's, by source."""
    passages: dict[Language, int]
    model_id: str
    dimensions: int
    built_at_utc: str | None
    """When the team's documents last changed."""
    problem: Bilingual | None
    """Why the team's documents cannot be read, when they cannot."""


class KnowledgeBase:
    """Our own articles, always, and the documents under `home`. Any number of threads may search it.

    A search that meets a change, made here or by another process, takes it in first; while one thread does,
    the others go on with what there was.
    """

    def __init__(self, home: Path, embeddings: Embeddings | None = None) -> None:
        self._folder = home / "index"
        self._given = embeddings
        self._building = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._query_vector = lru_cache(maxsize=_N_REMEMBERED_QUERIES)(self._embed_query)

    @classmethod
    def open(cls, home: Path, *, embeddings: Embeddings | None = None) -> KnowledgeBase:
        """The knowledge base of one home; any LangChain embeddings may replace our own. Reads nothing yet."""
        return cls(home, embeddings)

    def search(self, query: str, k: int = 5, language: Language | None = None) -> list[Hit]:
        """The `k` best passages; what is there twice comes in `language`, or in that of the question."""
        if not query.strip():
            return []
        found = self._current().search(query, self._query_vector(query), k, language)
        return [
            Hit(rank=rank, score=score, passage=passage)
            for rank, (passage, score) in enumerate(found, start=1)
        ]

    def answerable(self, query: str, hits: Sequence[Hit]) -> bool:
        """False when the hits are only the least unlike of what is here, and do not answer the question."""
        if not query.strip() or not hits:
            return False
        judged = [hit.passage for hit in hits[:_N_JUDGED]]
        return self._current().answers(query, self._query_vector(query), judged)

    def add(self, paths: Sequence[Path], progress: Progress | None = None) -> IngestReport:
        """Index files and folders; what cannot be read is reported, and never stops the rest."""
        report = self._library.add(paths, progress)
        self._current()
        return report

    def remove(self, source: str) -> int:
        """Forget a document, or all documents of a folder; how many there were."""
        n_removed = self._library.remove(source)
        self._current()
        return n_removed

    def status(self) -> IndexStatus:
        """What can be searched."""
        snapshot = self._current()
        counts = Counter(passage.language for passage in snapshot.passages.values())
        return IndexStatus(
            articles=snapshot.n_articles,
            documents=tuple(snapshot.shelf.documents),
            passages={"en": counts["en"], "zh": counts["zh"]},
            model_id=self._library.model_id,
            dimensions=snapshot.dimensions,
            built_at_utc=snapshot.shelf.built_at_utc,
            problem=snapshot.shelf.problem,
        )

    @cached_property
    def _library(self) -> Library:
        from index.embed import default_embeddings, model_id_of  # noqa: PLC0415 - see the top
        from index.library import Library  # noqa: PLC0415

        if self._given is None:
            return Library(self._folder, *default_embeddings())
        return Library(self._folder, self._given, model_id_of(self._given))

    def _current(self) -> Snapshot:
        from index.snapshot import take_snapshot  # noqa: PLC0415 - see the top

        snapshot = self._snapshot
        if snapshot is not None and (self._building.locked() or snapshot.stamp == self._library.stamp()):
            return snapshot
        with self._building:
            if self._snapshot is None or self._snapshot.stamp != self._library.stamp():
                self._snapshot = take_snapshot(self._library, self._folder / "articles.npz")
            return self._snapshot

    def _embed_query(self, query: str) -> list[float]:
        return self._library.embeddings.embed_query(query)
