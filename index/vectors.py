"""Turn vectors into nearest passages: FAISS behind LangChain's `VectorStore` interface.

Our own small store, as LangChain's FAISS one persists by pickle: whoever can write an index file could then
run code in whoever reads it. Here passages and vectors are rows of SQLite, and FAISS is made from them.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import faiss
import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from numpy.typing import NDArray

from index.embed import Matrix, normalised
from index.ingest import document_of, passage_of
from index.passages import IN_MEMORY, Passages

logger = logging.getLogger(__name__)

Rows = NDArray[np.int64]

EXACT_UP_TO = 20_000
"""So many vectors are compared one by one, which takes about 2 ms; more are compressed."""

_MAX_TAIL_FRAC = 0.02
_BITS_PER_CODE = 4
_DIMENSIONS_PER_CODE = 2
_N_TRAINED_ON = 50_000
_N_COMPARED_EXACTLY = 3_000
_SEED = 7
_INDEX, _ROWS = "index.faiss", "rows.npy"


def compressed(vectors: Matrix) -> Any:
    """A FAISS index of 4-bit product codes, whose best are compared again in half precision.

    All codes are scanned, so the recall does not depend on how the vectors cluster. At 384 dimensions a vector
    takes 864 bytes; `benchmarks/index_scale.py` measures time and recall.
    """
    dimensions = vectors.shape[1]
    coarse = faiss.IndexPQFastScan(
        dimensions, dimensions // _DIMENSIONS_PER_CODE, _BITS_PER_CODE, faiss.METRIC_INNER_PRODUCT
    )
    precise = faiss.IndexScalarQuantizer(
        dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    index = faiss.IndexRefine(coarse, precise)
    chosen = np.random.default_rng(_SEED).choice(
        len(vectors), min(_N_TRAINED_ON, len(vectors)), replace=False
    )
    index.train(vectors[chosen])
    index.add(vectors)
    return index


def exact(vectors: Matrix) -> Any:
    """A FAISS index that compares a question with every vector."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


@dataclass(frozen=True, slots=True)
class Part:
    """Vectors that never change, with the row of each."""

    index: Any
    rows: Rows

    def search(self, vector: Matrix, k: int) -> dict[int, float]:
        """Cosines of the nearest by row, best first."""
        k = min(k, len(self.rows))
        how = None
        if isinstance(self.index, faiss.IndexRefine):
            how = faiss.IndexRefineSearchParameters()
            how.k_factor = max(4.0, _N_COMPARED_EXACTLY / k)
        cosines, places = self.index.search(vector, k, params=how)
        found = zip(places[0], cosines[0], strict=True)
        return {int(self.rows[place]): float(cosine) for place, cosine in found if place >= 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorIndex:
    """A large part, from a file, and a small one with what came later. It never changes: a newer one replaces it."""

    body: Part | None = None
    tail: Part | None = None
    number: int = 0
    """Of the last vector that is in here."""

    def __len__(self) -> int:
        return sum(len(part.rows) for part in (self.body, self.tail) if part)

    @property
    def should_be_compressed(self) -> bool:
        """True when comparing with the tail costs more than it should."""
        n_body = len(self.body.rows) if self.body else 0
        return self.tail is not None and len(self.tail.rows) > EXACT_UP_TO + _MAX_TAIL_FRAC * n_body

    def search(self, vector: Sequence[float], k: int) -> list[tuple[int, float]]:
        """The `k` nearest rows with their cosines, best first."""
        asked = normalised([vector])
        found: dict[int, float] = {}
        for part in filter(None, (self.body, self.tail)):
            found |= part.search(asked, k)
        return sorted(found.items(), key=lambda item: -item[1])[:k]

    def grown(self, rows: Rows, vectors: Matrix, number: int) -> VectorIndex:
        """This index with more vectors."""
        if not len(rows):
            return self
        if self.tail is not None:
            old = self.tail.index.reconstruct_n(0, len(self.tail.rows))
            rows, vectors = np.concatenate([self.tail.rows, rows]), np.concatenate([old, vectors])
        return replace(self, tail=Part(exact(vectors), rows), number=number)


class FaissStore(VectorStore):
    """Passages with their vectors of one model, nearest first by cosine, as LangChain knows such a store.

    Any number of threads may search; what others add, in this process or another, is found by the next search.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        passages: Passages | None = None,
        model_id: str = "",
        folder: Path | None = None,
    ) -> None:
        self._embeddings = embeddings
        self._passages = passages if passages is not None else Passages(IN_MEMORY)
        self._model_id = model_id
        self._folder = folder
        self._index = VectorIndex()
        self._growing = threading.Lock()

    @property
    def embeddings(self) -> Embeddings:
        """The model that makes the vectors."""
        return self._embeddings

    def index(self) -> VectorIndex:
        """All vectors there are by now; those of a moment ago while another thread takes in newer ones."""
        if self._growing.locked() and len(self._index):
            return self._index
        with self._growing:
            if not len(self._index):
                self._index = self._from_file()
            new = self._passages.vectors_after(self._index.number, self._model_id)
            self._index = self._index.grown(*new)
            return self._index

    def compress(self) -> None:
        """Write a file with all vectors, when there are so many that searching them one by one takes long."""
        if self._folder is None or not self.index().should_be_compressed:
            return
        rows, vectors, number = self._passages.vectors_after(0, self._model_id)
        unfinished = self._folder / f".unfinished-{uuid4().hex[:12]}"
        unfinished.mkdir(parents=True)
        faiss.write_index(compressed(vectors), str(unfinished / _INDEX))
        np.save(unfinished / _ROWS, rows)
        outdated = list(self._folder.iterdir())
        unfinished.rename(self._folder / f"{self._prefix}{number}")
        for folder in outdated:
            if folder.name != unfinished.name:
                shutil.rmtree(folder, ignore_errors=True)
        with self._growing:
            self._index = VectorIndex()

    @property
    def _prefix(self) -> str:
        return hashlib.sha256(self._model_id.encode()).hexdigest()[:12] + "-"

    def _from_file(self) -> VectorIndex:
        """What `compress` has written; nothing when it wrote nothing, or the file is damaged."""
        if self._folder is None or not self._folder.is_dir():
            return VectorIndex()
        for folder in self._folder.glob(f"{self._prefix}*"):
            try:
                rows = np.load(folder / _ROWS, allow_pickle=False)
                index = faiss.read_index(str(folder / _INDEX), faiss.IO_FLAG_MMAP_IFC)
                number = int(folder.name.removeprefix(self._prefix))
            except (OSError, RuntimeError, ValueError):
                logger.warning(
                    "a vector file cannot be read, going on without it", extra={"file": folder.name}
                )
                continue
            return VectorIndex(body=Part(index, rows), number=number)
        return VectorIndex()

    def add_documents(
        self,
        documents: list[Document],
        *,
        ids: list[str] | None = None,
        vectors: Matrix | None = None,
        **_kwargs: Any,
    ) -> list[str]:
        """Add documents, embedding their text unless their vectors are given."""
        if not documents:
            return []
        if vectors is None:
            vectors = np.asarray(self._embeddings.embed_documents([d.page_content for d in documents]))
        given = ids or [document.id or uuid4().hex for document in documents]
        named = [d.model_copy(update={"id": name}) for d, name in zip(documents, given, strict=True)]
        by_id = dict(zip(given, normalised(vectors), strict=True))
        self._passages.add([passage_of(document) for document in named], by_id, self._model_id)
        return given

    def delete(self, ids: list[str] | None = None, **_kwargs: Any) -> bool:
        """Forget documents by id, or all of them; false when an id was not there."""
        doomed = self._passages.ids() if ids is None else ids
        return len(self._passages.delete(doomed)) == len(set(doomed))

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents of these ids that are there."""
        return [document_of(passage) for passage in self._passages.with_ids(ids)]

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
        self, embedding: Sequence[float], k: int = 4
    ) -> list[tuple[Document, float]]:
        """The `k` documents nearest to a vector, with their cosines."""
        found = self.index().search(embedding, k)
        passages = self._passages.at(row for row, _ in found)
        return [(document_of(passages[row]), cosine) for row, cosine in found if row in passages]

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
        """A store in memory of these texts."""
        store = cls(embedding)
        store.add_texts(texts, metadatas, ids=ids)
        return store


def _cosine_to_unit_interval(cosine: float) -> float:
    return (1 + cosine) / 2
