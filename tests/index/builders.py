"""Small things that the tests of retrieval are made of."""

from __future__ import annotations

import hashlib
from pathlib import Path

from langchain_core.embeddings import Embeddings

from index.records import Passage
from index.words import tokens


class WordVectors(Embeddings):
    """A real if simple embedding: each word adds to one dimension, so texts that share words are near."""

    def __init__(self, dimensions: int = 64, model: str = "words") -> None:
        self.dimensions = dimensions
        self.model = model
        self.embedded: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.embedded.extend(texts)
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        vector = [0.0] * self.dimensions
        for word in tokens(text):
            vector[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) % self.dimensions] += 1.0
        return vector


def passage(text: str, *, language: str = "en", **fields: str) -> Passage:
    given = {"id": text, "source": "a.md", "title": "A", "locator": "", **fields}
    return Passage(text=text, language="zh" if language == "zh" else "en", **given)  # type: ignore[arg-type]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
