"""Turn vectors into nearest documents: FAISS behind LangChain's `VectorStore` interface.

Our own small store, as LangChain's FAISS one persists by pickle: whoever can write an index file could then
run code in whoever reads it. Here the vectors are a FAISS file and the documents are JSON lines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import faiss
import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from index.embed import Matrix, normalised

_VECTORS = "vectors.faiss"
_DOCUMENTS = "passages.jsonl"


def new_index(dimensions: int, n_vectors: int) -> Any:
    """An empty FAISS index of the kind that suits `n_vectors`: exact, which is fast up to 100,000 or so."""
    del n_vectors
    return faiss.IndexFlatIP(dimensions)


class FaissStore(VectorStore):
    """Documents with their vectors, nearest first by cosine; row i of the index is document i.

    Any number of threads may search. Writing is for one: build or load another store and swap it in.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings
        self._index: Any = None
        self._documents: list[Document] = []

    @property
    def embeddings(self) -> Embeddings:
        """The model that makes the vectors."""
        return self._embeddings

    @property
    def documents(self) -> Sequence[Document]:
        """All documents, in the order of `vectors`."""
        return tuple(self._documents)

    @property
    def vectors(self) -> Matrix:
        """All vectors, one row each."""
        if self._index is None:
            return np.zeros((0, 0), dtype=np.float32)
        rows: Matrix = self._index.reconstruct_n(0, self._index.ntotal)
        return rows

    def add_documents(
        self,
        documents: list[Document],
        *,
        ids: list[str] | None = None,
        vectors: Matrix | None = None,
        **_kwargs: Any,
    ) -> list[str]:
        """Append documents, embedding their text unless their vectors are given."""
        if not documents:
            return []
        if vectors is None:
            vectors = normalised(self._embeddings.embed_documents([d.page_content for d in documents]))
        given = ids or [document.id or uuid4().hex for document in documents]
        self._append(
            [d.model_copy(update={"id": name}) for d, name in zip(documents, given, strict=True)], vectors
        )
        return given

    def _append(self, documents: list[Document], vectors: Matrix) -> None:
        if self._index is None:
            self._index = new_index(vectors.shape[1], len(documents))
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        self._documents.extend(documents)

    def delete(self, ids: list[str] | None = None, **_kwargs: Any) -> bool:
        """Forget documents by id, or all of them; false when an id was not there."""
        doomed = {str(d.id) for d in self._documents} if ids is None else set(ids)
        kept = [row for row, document in enumerate(self._documents) if document.id not in doomed]
        n_found = len(self._documents) - len(kept)
        documents, vectors = [self._documents[row] for row in kept], self.vectors[kept]
        self._index, self._documents = None, []
        if documents:
            self._append(documents, vectors)
        return n_found >= len(doomed)

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents of these ids that are there."""
        wanted = set(ids)
        return [document for document in self._documents if document.id in wanted]

    def similarity_search(self, query: str, k: int = 4, **_kwargs: Any) -> list[Document]:
        """The `k` documents nearest to a question."""
        return [document for document, _ in self.similarity_search_with_score(query, k)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, **_kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The `k` documents nearest to a question, with their cosines."""
        return self.similarity_search_with_score_by_vector(self._embeddings.embed_query(query), k)

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, **_kwargs: Any
    ) -> list[Document]:
        """The `k` documents nearest to a vector."""
        return [document for document, _ in self.similarity_search_with_score_by_vector(embedding, k)]

    def similarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4
    ) -> list[tuple[Document, float]]:
        """The `k` documents nearest to a vector, with their cosines."""
        if self._index is None:
            return []
        cosines, rows = self._index.search(normalised([embedding]), min(k, len(self._documents)))
        return [
            (self._documents[row], float(cosine))
            for row, cosine in zip(rows[0], cosines[0], strict=True)
            if row >= 0
        ]

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return _cosine_to_unit_interval

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **_kwargs: Any,
    ) -> FaissStore:
        """A store of these texts."""
        store = cls(embedding)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def save(self, folder: Path) -> None:
        """Write vectors and documents into a new folder."""
        folder.mkdir(parents=True)
        if self._index is not None:
            faiss.write_index(self._index, str(folder / _VECTORS))
        with (folder / _DOCUMENTS).open("w", encoding="utf-8") as file:
            for d in self._documents:
                row = {"id": d.id, "text": d.page_content, "metadata": d.metadata}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, folder: Path, embeddings: Embeddings) -> FaissStore:
        """Read what `save` wrote. Raises ValueError when vectors and documents do not belong together."""
        store = cls(embeddings)
        with (folder / _DOCUMENTS).open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        store._documents = [
            Document(id=r["id"], page_content=r["text"], metadata=r["metadata"]) for r in rows
        ]
        if rows:
            store._index = faiss.read_index(str(folder / _VECTORS))
        if rows and store._index.ntotal != len(rows):
            raise ValueError(f"{store._index.ntotal} vectors for {len(rows)} passages in {folder}")
        return store


def _cosine_to_unit_interval(cosine: float) -> float:
    return (1 + cosine) / 2
