"""Turn a question into ranked passages, from our own articles and the team's documents, in either language.

What is retrieved is data, whatever it says: it is quoted, and never followed. The engine (LangChain, FAISS, BM25)
is imported by the first search, so that those who never search do not wait for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from index.bilingual import Bilingual, Language
from index.errors import ShortlistError
from index.records import Passage

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

    from index.ingest import IngestReport
    from index.library import Library, Progress
    from index.search import Ours, Search

logger = logging.getLogger(__name__)

EVERYTHING = "*"
"""The audience that sees every document."""
OUR_SOURCES = "knowledge/"
_N_JUDGED = 5
_N_REMEMBERED_QUERIES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One passage found for a question."""

    rank: int
    score: float
    """Sum of standard scores: comparable within one search only."""
    passage: Passage

    @property
    def is_ours(self) -> bool:
        """True for one of our own articles, false for a document of the team."""
        return self.passage.source.startswith(OUR_SOURCES)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStatus:
    """What can be searched."""

    articles: int
    """Our own."""
    documents: tuple[str, ...]
    """The team's, by source."""
    limited: dict[str, tuple[str, ...]]
    """Those of them that only some channels see, and which."""
    passages: dict[Language, int]
    waiting: int
    """Passages that the embedding model has not read yet: they are found by their words only."""
    model_id: str
    dimensions: int
    built_at_utc: str | None
    """When the team's documents last changed."""
    problem: Bilingual | None
    """Why the team's documents cannot be read, when they cannot."""


class KnowledgeBase:
    """Our own articles, always, and the documents under `home`. Any number of threads may search it.

    What another thread or process adds is found by the next search; while one takes it in, the others go on with
    what there was.
    """

    def __init__(
        self, home: Path, embeddings: Embeddings | None = None, articles: Path | None = None
    ) -> None:
        self._folder = home / "index"
        self._given = embeddings
        self._articles = articles
        self._refreshing = threading.Lock()
        self._embedding = threading.Lock()
        self._version: int | None = None
        self._ours: Ours
        self._state_of_ours: tuple[str | None, bool] | None = None
        self._query_vector = lru_cache(maxsize=_N_REMEMBERED_QUERIES)(self._embed_query)

    @classmethod
    def open(
        cls, home: Path, *, embeddings: Embeddings | None = None, articles: Path | None = None
    ) -> KnowledgeBase:
        """The knowledge base of one home. Reads nothing yet.

        Any LangChain embeddings may replace our own, and another folder of `en/*.md` and `zh/*.md` our articles.
        """
        return cls(home, embeddings, articles)

    def search(
        self, query: str, k: int = 5, language: Language | None = None, audience: str | None = None
    ) -> list[Hit]:
        """The `k` best passages; what is there twice comes in `language`, or in that of the question.

        `audience` is the channel in which it is asked, EVERYTHING for who may see all, and None for what everybody may
        see: other documents take no part in the search.
        """
        if not query.strip():
            return []
        found = self._looked_up(query, audience).best(k, language)
        return [
            Hit(rank=rank, score=score, passage=passage)
            for rank, (passage, score) in enumerate(found, start=1)
        ]

    def answerable(self, query: str, hits: Sequence[Hit], audience: str | None = None) -> bool:
        """False when the hits are only the least unlike of what is here, and do not answer the question."""
        if not query.strip() or not hits:
            return False
        return self._looked_up(query, audience).answers([hit.passage for hit in hits[:_N_JUDGED]])

    def add(
        self,
        paths: Sequence[Path],
        progress: Progress | None = None,
        channels: frozenset[str] | None = None,
    ) -> IngestReport:
        """Index files and folders; what cannot be read is reported, and never stops the rest.

        `channels` limits who may see them; no channel is everybody, None leaves it as it was.
        """
        self._library.embed_rest()
        return self._library.add(paths, progress, channels)

    def remove(self, source: str) -> int:
        """Forget a document, or all documents of a folder; how many there were."""
        return self._library.remove(source)

    def status(self, audience: str | None = None) -> IndexStatus:
        """What can be searched by this audience; what is for others is not counted either."""
        library = self._current()
        passages = library.passages.seen_from(audience)
        counts, limited = passages.counts(), library.passages.audiences()
        documents = tuple(passages.documents(ours=False))
        return IndexStatus(
            articles=len(passages.documents(ours=True)),
            documents=documents,
            limited={source: tuple(sorted(limited[source])) for source in documents if source in limited},
            passages={"en": counts.get("en", 0), "zh": counts.get("zh", 0)},
            waiting=0 if library.is_embedded else passages.n_without_vector(library.model_id),
            model_id=library.model_id,
            dimensions=library.passages.dimensions(library.model_id),
            built_at_utc=library.built_at_utc(audience),
            problem=library.problem,
        )

    def wait_until_embedded(self, timeout_s: float) -> bool:
        """True once the embedding model has read everything; false after `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        while not self._current().is_embedded and time.monotonic() < deadline_s:
            time.sleep(0.05)
        return self._current().is_embedded

    def close(self) -> None:
        """Let go of the files; it cannot be used any more."""
        self._library.passages.close()

    @cached_property
    def _library(self) -> Library:
        from index.embed import default_embeddings, model_id_of  # noqa: PLC0415 - see the top
        from index.ingest import KNOWLEDGE  # noqa: PLC0415
        from index.library import Library  # noqa: PLC0415

        if self._given is None:
            embeddings, model_id = default_embeddings()
        else:
            embeddings, model_id = self._given, model_id_of(self._given)
        return Library(self._folder, embeddings, model_id, self._articles or KNOWLEDGE)

    def _looked_up(self, query: str, audience: str | None = None) -> Search:
        from index.search import Search  # noqa: PLC0415 - see the top

        library = self._current()
        view = library.view(audience)
        query = library.corrected(query, view.words)
        return Search(view, self._ours, query, self._vector_of(query))

    def _vector_of(self, query: str) -> list[float] | None:
        """The question's vector; None, and a line in the log, when the embedding model does not answer."""
        try:
            return self._query_vector(query)
        except Exception:  # whatever the library of a remote model raises
            logger.warning("the embedding model failed, searching by words", exc_info=True)
            return None

    def _current(self) -> Library:
        """The library, brought up to what was added since the last look."""
        library = self._library
        version = library.passages.version()
        if version != self._version and self._refreshing.acquire(blocking=self._version is None):
            try:
                library.refresh()
                self._read_ours(library)
                self._version = version
            finally:
                self._refreshing.release()
        if not library.is_embedded and self._embedding.acquire(blocking=False):
            threading.Thread(target=self._embed_rest, daemon=True).start()
        return library

    def _read_ours(self, library: Library) -> None:
        """Look at our articles again when they, or their vectors, are not those of the last look."""
        from index.search import Ours  # noqa: PLC0415 - see the top

        state = (library.passages.noted("articles"), library.is_embedded)
        if state != self._state_of_ours:
            self._ours, self._state_of_ours = Ours.read(library), state

    def _embed_rest(self) -> None:
        """Let a new embedding model read everything, while searches go on with words and what it has read."""
        try:
            self._library.embed_rest()
        except ShortlistError:
            logger.warning("the rest is embedded when the next process starts", exc_info=True)
        else:
            self._embedding.release()

    def _embed_query(self, query: str) -> list[float]:
        return self._library.embeddings.embed_query(query)
