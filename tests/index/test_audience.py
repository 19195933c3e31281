"""Documents that only some channels see: from elsewhere it is as if they were not there, to the last figure."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from index.errors import BadDocument
from index.passages import IN_MEMORY, Passages
from index.retrieve import EVERYTHING, KnowledgeBase
from index.words import weights_of
from tests.index.builders import WordVectors

HANDBOOK = "# Kitchen\n\n## Espresso\n\nThe espresso mill stands beside the window.\n"
MERGER = (
    "# Project Zanzibar\n\n## Price\n\nWe buy the zebrafish company for nine million.\n\n"
    "## Espresso\n\nThe espresso budget of the merger team is twelve.\n"
)
"""`zebrafish` and `Zanzibar` occur nowhere else; `espresso` does."""
QUESTIONS = (
    "zebrafish price",
    "what does zanzibar cost",
    "espresso",
    "espresso budget",
    "zebrafihs",
    "收购价格是多少",
)
"""The last but one is mistyped: what is mended or guessed would show what others know."""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "handbook.md").write_text(HANDBOOK, encoding="utf-8")
    (folder / "merger.md").write_text(MERGER, encoding="utf-8")
    return folder


def knowledge_at(home: Path, articles: Path) -> KnowledgeBase:
    return KnowledgeBase.open(home, embeddings=WordVectors(), articles=articles)


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    (folder / "en").mkdir(parents=True)
    (folder / "en" / "models.md").write_text(
        "# Models\n\n## Size\n\nA model has parameters.\n", encoding="utf-8"
    )
    return folder


def found(knowledge: KnowledgeBase, question: str, audience: str | None) -> list[tuple[str, float]]:
    return [(hit.passage.text, hit.score) for hit in knowledge.search(question, k=10, audience=audience)]


def told(knowledge: KnowledgeBase, audience: str | None) -> str:
    """Everything that can be had without reading the store's files."""
    parts = [repr(knowledge.status(audience))]
    for question in QUESTIONS:
        hits = knowledge.search(question, k=10, audience=audience)
        parts += [repr(hit) for hit in hits] + [str(knowledge.answerable(question, hits, audience))]
    return "\n".join(parts)


@pytest.mark.parametrize("outside", [None, "C0OTHER"])
def test_from_elsewhere_everything_is_as_if_the_document_were_not_there(
    tmp_path: Path, files: Path, articles: Path, outside: str | None
) -> None:
    without = knowledge_at(tmp_path / "without", articles)
    without.add([files / "handbook.md"])
    having = knowledge_at(tmp_path / "having", articles)
    having.add([files / "handbook.md"])
    having.add([files / "merger.md"], channels=frozenset({"C0DEAL"}))

    for question in QUESTIONS:
        assert found(having, question, outside) == found(without, question, outside), question
        hits, same = having.search(question, audience=outside), without.search(question, audience=outside)
        assert having.answerable(question, hits, outside) == without.answerable(question, same, outside)
    ours, theirs = having.status(outside), without.status(outside)
    assert (ours.documents, ours.passages, ours.waiting, ours.articles, ours.limited) == (
        theirs.documents, theirs.passages, theirs.waiting, theirs.articles, {},
    )  # fmt: skip


def test_channel_sees_its_documents_and_those_of_everybody(
    tmp_path: Path, files: Path, articles: Path
) -> None:
    knowledge = knowledge_at(tmp_path / "home", articles)
    knowledge.add([files / "handbook.md"])
    knowledge.add([files / "merger.md"], channels=frozenset({"C0DEAL", "C0BOARD"}))

    for channel in ("C0DEAL", "C0BOARD", EVERYTHING):
        assert "nine million" in found(knowledge, "zebrafish price", channel)[0][0]
        assert any("mill stands" in text for text, _ in found(knowledge, "espresso mill", channel))
        assert str(files / "merger.md") in knowledge.status(channel).documents
    assert "zebrafish" not in told(knowledge, "C0TEAM")


def test_no_word_of_it_lies_in_what_is_made_for_others(tmp_path: Path, files: Path, articles: Path) -> None:
    knowledge = knowledge_at(tmp_path / "home", articles)
    knowledge.add([files / "handbook.md"])
    knowledge.add([files / "merger.md"], channels=frozenset({"C0DEAL"}))
    knowledge.search("zebrafish", audience="C0DEAL")
    knowledge.search("zebrafish")

    public = knowledge._library.view(None)
    assert public.words.search(weights_of("zebrafish zanzibar"), 10) == {}
    assert not public.words.holds("zebrafish")
    assert len(public.store.index()) < len(knowledge._library.view("C0DEAL").store.index())
    assert all("zebrafish" not in p.text for p in public.passages.after(0, 1000).values())


def test_document_can_be_limited_later_and_opened_again(tmp_path: Path, files: Path, articles: Path) -> None:
    knowledge = knowledge_at(tmp_path / "home", articles)
    merger = files / "merger.md"
    knowledge.add([merger])
    assert found(knowledge, "zebrafish price", None)

    knowledge.add([merger], channels=frozenset({"C0DEAL"}))
    assert "zebrafish" not in told(knowledge, None)
    assert "nine million" in found(knowledge, "zebrafish price", "C0DEAL")[0][0]

    knowledge.add([merger], channels=frozenset({"C0BOARD"}))
    assert "zebrafish" not in told(knowledge, "C0DEAL")

    knowledge.add([merger], channels=frozenset())
    assert "nine million" in found(knowledge, "zebrafish price", None)[0][0]


def test_another_process_sees_the_limit_at_once(tmp_path: Path, files: Path, articles: Path) -> None:
    ours, theirs = (knowledge_at(tmp_path / "home", articles) for _ in range(2))
    ours.add([files / "merger.md"])
    assert found(theirs, "zebrafish price", None)

    ours.add([files / "merger.md"], channels=frozenset({"C0DEAL"}))

    assert "zebrafish" not in told(theirs, None)
    assert "nine million" in found(theirs, "zebrafish price", "C0DEAL")[0][0]


def test_changed_document_stays_limited(tmp_path: Path, files: Path, articles: Path) -> None:
    knowledge = knowledge_at(tmp_path / "home", articles)
    knowledge.add([files / "merger.md"], channels=frozenset({"C0DEAL"}))
    (files / "merger.md").write_text(MERGER.replace("nine", "eleven"), encoding="utf-8")

    knowledge.add([files / "merger.md"])

    assert "zebrafish" not in told(knowledge, None)
    assert "eleven million" in found(knowledge, "zebrafish price", "C0DEAL")[0][0]


def test_new_file_beside_limited_ones_is_not_silently_for_everybody(
    tmp_path: Path, files: Path, articles: Path
) -> None:
    knowledge = knowledge_at(tmp_path / "home", articles)
    knowledge.add([files], channels=frozenset({"C0DEAL"}))
    (files / "second.md").write_text("# Second\n\nThe quagga clause.\n", encoding="utf-8")

    with pytest.raises(BadDocument, match="--channel C0DEAL") as refusal:
        knowledge.add([files])
    assert "second.md" in refusal.value.to("zh")
    assert "quagga" not in repr(found(knowledge, "quagga clause", EVERYTHING))

    knowledge.add([files], channels=frozenset({"C0DEAL"}))
    assert found(knowledge, "quagga clause", "C0DEAL")


def test_removed_document_is_gone_for_its_channel_too(tmp_path: Path, files: Path, articles: Path) -> None:
    knowledge = knowledge_at(tmp_path / "home", articles)
    knowledge.add([files / "merger.md"], channels=frozenset({"C0DEAL"}))

    assert knowledge.remove(str(files / "merger.md")) == 1

    for audience in (None, "C0DEAL", EVERYTHING):
        assert "zebrafish" not in told(knowledge, audience)


def test_name_of_a_channel_is_a_value_and_never_a_query() -> None:
    passages = Passages(IN_MEMORY).seen_from("C0' or '1'='1")
    assert passages.after(0, 10) == {}


def test_index_of_the_version_before_is_taken_over_with_all_its_documents(
    tmp_path: Path, files: Path, articles: Path
) -> None:
    knowledge = knowledge_at(tmp_path / "home", articles)
    knowledge.add([files])
    before = found(knowledge, "zebrafish price", None)
    knowledge.close()
    with sqlite3.connect(tmp_path / "home" / "index" / "library.db") as db:
        db.executescript("drop table audiences; pragma user_version = 2;")
    db.close()

    again = knowledge_at(tmp_path / "home", articles)

    assert again.status().problem is None
    assert found(again, "zebrafish price", None) == before
