"""The vector store keeps LangChain's promises, exact while it is small and compressed when it is large."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from langchain_core.documents import Document

import index.vectors
from index.embed import Matrix, normalised
from index.ingest import document_of
from index.passages import Passages
from index.vectors import FaissStore, Part, compressed, exact
from tests.index.builders import WordVectors, passage

TEXTS = {"a": "apples and pears", "b": "trains and planes", "c": "pears in syrup"}


def fruit_documents() -> list[Document]:
    return [document_of(passage(text, id=name, locator=f"place {name}")) for name, text in TEXTS.items()]


def store() -> FaissStore:
    fruit = FaissStore(WordVectors())
    fruit.add_documents(fruit_documents())
    return fruit


def test_the_nearest_text_comes_first_with_its_metadata() -> None:
    (document,) = store().similarity_search("planes", k=1)
    assert (document.id, document.page_content) == ("b", "trains and planes")
    assert document.metadata["locator"] == "place b"


def test_scores_are_cosines() -> None:
    (_, score), *rest = store().similarity_search_with_score("trains and planes", k=3)
    assert score == pytest.approx(1, abs=1e-3)
    assert all(other < score for _, other in rest)


def test_a_retriever_of_langchain_works_on_it() -> None:
    documents = store().as_retriever(search_kwargs={"k": 2}).invoke("pears")
    assert {document.id for document in documents} == {"a", "c"}


def test_relevance_scores_lie_between_0_and_1() -> None:
    scores = [score for _, score in store().similarity_search_with_relevance_scores("pears", k=3)]
    assert all(0 <= score <= 1 for score in scores)


def test_deleted_documents_are_not_found_again() -> None:
    fruit = store()
    assert fruit.delete(["a", "b"])
    assert [document.id for document in fruit.similarity_search("apples trains", k=3)] == ["c"]


def test_deleting_an_unknown_id_is_told() -> None:
    assert not store().delete(["a", "zebra"])


def test_documents_are_got_by_id() -> None:
    assert [document.page_content for document in store().get_by_ids(["c", "zebra"])] == ["pears in syrup"]


def test_given_vectors_are_not_made_again() -> None:
    embeddings = WordVectors(dimensions=2)
    fruit = FaissStore(embeddings)
    fruit.add_documents([document_of(passage("x"))], vectors=np.array([[1, 0]], dtype=np.float32))
    assert embeddings.embedded == []


def test_an_empty_store_finds_nothing() -> None:
    assert FaissStore(WordVectors()).similarity_search("pears") == []


def test_a_store_is_made_from_texts() -> None:
    about = document_of(passage("x")).metadata
    fruit = FaissStore.from_texts(["apples", "trains"], WordVectors(), [about, about], ids=["x", "y"])
    assert [document.id for document in fruit.similarity_search("trains", k=1)] == ["y"]


def test_a_document_of_the_same_id_takes_the_place_of_the_first() -> None:
    fruit = store()
    fruit.add_documents([document_of(passage("plums", id="a"))])
    assert [d.page_content for d in fruit.get_by_ids(["a"])] == ["plums"]
    assert [d.id for d in fruit.similarity_search("plums", k=1)] == ["a"]


def many(n: int, seed: int = 1) -> Matrix:
    return normalised(np.random.default_rng(seed).standard_normal((n, 32)))


def test_a_compressed_index_finds_nearly_all_that_an_exact_one_finds() -> None:
    vectors, asked = many(20_000), many(50, seed=2)
    every_row = np.arange(len(vectors))
    near, nearest = Part(compressed(vectors), every_row), Part(exact(vectors), every_row)
    hits = [len(near.search(q[None], 10).keys() & nearest.search(q[None], 10).keys()) for q in asked]
    assert sum(hits) / (10 * len(asked)) > 0.98


@pytest.fixture
def grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Passages, Path]:
    """A store that counts as large from 1,000 vectors on, and has written its file."""
    monkeypatch.setattr(index.vectors, "EXACT_UP_TO", 1_000)
    passages = Passages(tmp_path / "library.db")
    add(passages, many(1_500), "a")
    FaissStore(WordVectors(), passages, "m", tmp_path / "vectors").compress()
    return passages, tmp_path / "vectors"


def add(passages: Passages, vectors: Matrix, prefix: str) -> None:
    named = {f"{prefix}{n}": vector for n, vector in enumerate(vectors)}
    passages.add([passage(name, id=name) for name in named], named, "m")


def nearest_ids(store: FaissStore, vector: Matrix) -> list[str | None]:
    return [document.id for document, _ in store.similarity_search_with_score_by_vector(vector.tolist(), k=1)]


def test_a_large_store_is_read_from_its_file(grown: tuple[Passages, Path]) -> None:
    passages, folder = grown
    store = FaissStore(WordVectors(), passages, "m", folder)
    assert store.index().body is not None
    assert nearest_ids(store, many(1_500)[77]) == ["a77"]


def test_what_came_after_the_file_is_found_too(grown: tuple[Passages, Path]) -> None:
    passages, folder = grown
    store = FaissStore(WordVectors(), passages, "m", folder)
    add(passages, many(5, seed=3), "late")
    assert nearest_ids(store, many(5, seed=3)[2]) == ["late2"]


def test_what_was_deleted_after_the_file_was_written_is_not_found(grown: tuple[Passages, Path]) -> None:
    passages, folder = grown
    passages.delete(["a77"])
    assert nearest_ids(FaissStore(WordVectors(), passages, "m", folder), many(1_500)[77]) != ["a77"]


def test_a_damaged_vector_file_is_done_without(grown: tuple[Passages, Path]) -> None:
    passages, folder = grown
    (path,) = folder.rglob("index.faiss")
    path.write_bytes(b"not an index")
    assert nearest_ids(FaissStore(WordVectors(), passages, "m", folder), many(1_500)[77]) == ["a77"]


def test_only_the_newest_vector_file_is_kept(grown: tuple[Passages, Path]) -> None:
    passages, folder = grown
    add(passages, many(1_200, seed=4), "b")
    FaissStore(WordVectors(), passages, "m", folder).compress()
    assert len(list(folder.iterdir())) == 1
