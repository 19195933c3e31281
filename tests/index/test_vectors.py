"""The vector store keeps LangChain's promises, and what it saves is read back the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from langchain_core.documents import Document

from index.vectors import FaissStore
from tests.index.builders import WordVectors

TEXTS = ["apples and pears", "trains and planes", "pears in syrup"]


def store() -> FaissStore:
    return FaissStore.from_texts(TEXTS, WordVectors(), [{"n": n} for n in range(3)], ids=["a", "b", "c"])


def test_the_nearest_text_comes_first_with_its_metadata() -> None:
    (document,) = store().similarity_search("planes", k=1)
    assert (document.id, document.page_content, document.metadata) == ("b", "trains and planes", {"n": 1})


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
    fruit.add_documents([Document(id="x", page_content="x")], vectors=np.array([[1, 0]], dtype=np.float32))
    assert embeddings.embedded == []


def test_an_empty_store_finds_nothing() -> None:
    assert FaissStore(WordVectors()).similarity_search("pears") == []


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    fruit = store()
    fruit.save(tmp_path / "saved")
    again = FaissStore.load(tmp_path / "saved", WordVectors())
    assert again.documents == fruit.documents
    assert np.array_equal(again.vectors, fruit.vectors)


def test_an_empty_store_can_be_saved(tmp_path: Path) -> None:
    FaissStore(WordVectors()).save(tmp_path / "saved")
    assert not FaissStore.load(tmp_path / "saved", WordVectors()).documents


def test_vectors_of_other_documents_are_refused(tmp_path: Path) -> None:
    store().save(tmp_path / "saved")
    passages = tmp_path / "saved" / "passages.jsonl"
    passages.write_text(passages.read_text().splitlines()[0] + "\n")
    with pytest.raises(ValueError, match="3 vectors for 1 passages"):
        FaissStore.load(tmp_path / "saved", WordVectors())
