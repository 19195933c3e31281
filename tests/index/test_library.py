"""The team's index on disk: incremental, all or nothing, and of one embedding model."""

from __future__ import annotations

import os
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from index.errors import BadDocument, Unavailable
from index.library import Library
from index.passages import Passages
from index.words import weights_of
from tests.index.builders import WordVectors, write


def library(tmp_path: Path, embeddings: WordVectors | None = None) -> Library:
    """The library of a home without our own articles, as another process would open it."""
    embeddings = embeddings or WordVectors()
    model_id = f"{embeddings.model}/{embeddings.dimensions}"
    return Library(tmp_path / "index", embeddings, model_id, tmp_path / "no articles")


def texts(library: Library) -> list[str]:
    return sorted(passage.text for passage in library.passages.after(0, 100).values())


def found_by_word(library: Library, word: str) -> list[str]:
    rows = library.words.search(weights_of(word), 10)
    return [passage.text for passage in library.passages.at(rows).values()]


def found_by_meaning(library: Library, text: str) -> list[str]:
    vector = library.embeddings.embed_query(text)
    return [
        document.page_content
        for document, _ in library.store.similarity_search_with_score_by_vector(vector, 1)
    ]


def names(sources: tuple[str, ...]) -> list[str]:
    return [Path(source).name for source in sources]


def test_a_folder_is_added_and_found_again_by_another_process(tmp_path: Path) -> None:
    write(tmp_path / "docs" / "a.md", "## One\nApples.")
    write(tmp_path / "docs" / "b.txt", "Trains.")
    report = library(tmp_path).add([tmp_path / "docs"])
    assert (names(report.added), report.passages) == (["a.md", "b.txt"], 2)
    assert texts(library(tmp_path)) == ["Apples.", "Trains."]


def test_unchanged_files_are_neither_read_nor_embedded_again(tmp_path: Path) -> None:
    embeddings = WordVectors()
    write(tmp_path / "docs" / "a.md", "Apples.")
    library(tmp_path, embeddings).add([tmp_path / "docs"])
    before = library(tmp_path).passages.version()
    report = library(tmp_path, embeddings).add([tmp_path / "docs"])
    assert (names(report.unchanged), report.added, report.passages) == (["a.md"], (), 0)
    assert len(embeddings.embedded) == 1
    assert library(tmp_path).passages.version() == before


def test_of_a_changed_file_only_the_changed_section_is_embedded(tmp_path: Path) -> None:
    embeddings = WordVectors()
    path = write(tmp_path / "a.md", "## One\nApples.\n\n## Two\nPears.")
    library(tmp_path, embeddings).add([path])
    write(path, "## One\nApples.\n\n## Two\nPlums.")
    report = library(tmp_path, embeddings).add([path])
    assert names(report.changed) == ["a.md"]
    assert embeddings.embedded[2:] == ["a\nTwo\nPlums."]
    assert texts(library(tmp_path)) == ["Apples.", "Plums."]


def test_a_file_that_has_gone_from_its_folder_is_forgotten(tmp_path: Path) -> None:
    write(tmp_path / "docs" / "a.md", "Apples.")
    gone = write(tmp_path / "docs" / "b.md", "Pears.")
    library(tmp_path).add([tmp_path / "docs"])
    gone.unlink()
    assert names(library(tmp_path).add([tmp_path / "docs"]).removed) == ["b.md"]
    assert texts(library(tmp_path)) == ["Apples."]


def test_files_elsewhere_stay_when_a_folder_is_added(tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "other" / "a.md", "Apples.")
    library(tmp_path).add([elsewhere])
    elsewhere.unlink()
    write(tmp_path / "docs" / "b.md", "Pears.")
    assert library(tmp_path).add([tmp_path / "docs"]).removed == ()


def test_bad_files_are_reported_and_the_rest_is_indexed(tmp_path: Path) -> None:
    write(tmp_path / "docs" / "good.md", "Apples.")
    (tmp_path / "docs" / "latin.md").write_bytes(b"caf\xe9")
    write(tmp_path / "docs" / "picture.png", "x")
    report = library(tmp_path).add([tmp_path / "docs", tmp_path / "missing.md"])
    assert names(report.added) == ["good.md"]
    assert {Path(s.source).name for s in report.skipped} == {"latin.md", "picture.png", "missing.md"}
    assert all(s.reason.en and s.reason.zh for s in report.skipped)


def test_the_earlier_version_of_a_file_that_went_bad_stays(tmp_path: Path) -> None:
    path = write(tmp_path / "docs" / "a.md", "Apples.")
    library(tmp_path).add([path])
    path.write_bytes(b"\0\0")
    report = library(tmp_path).add([tmp_path / "docs"])
    assert names(tuple(s.source for s in report.skipped)) == ["a.md"]
    assert texts(library(tmp_path)) == ["Apples."]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_reported_and_forgets_nothing(tmp_path: Path) -> None:
    write(tmp_path / "docs" / "closed" / "a.md", "Apples.")
    library(tmp_path).add([tmp_path / "docs"])
    (tmp_path / "docs" / "closed").chmod(0)
    report = library(tmp_path).add([tmp_path / "docs"])
    (tmp_path / "docs" / "closed").chmod(0o700)
    assert names(tuple(s.source for s in report.skipped)) == ["closed"]
    assert report.removed == ()


def test_a_document_or_a_whole_folder_is_removed(tmp_path: Path) -> None:
    for name in ("docs/a.md", "docs/deep/b.md", "docs2/c.md"):
        write(tmp_path / name, name)
    library(tmp_path).add([tmp_path / "docs", tmp_path / "docs2"])
    assert library(tmp_path).remove(str(tmp_path / "docs")) == 2
    assert library(tmp_path).remove(str(tmp_path / "docs")) == 0
    assert texts(library(tmp_path)) == ["docs2/c.md"]


def test_a_passage_that_changed_is_found_by_its_new_words_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a.md", "## One\nApples.\n\n## Two\nPears.")
    library(tmp_path).add([path])
    write(path, "## One\nApples.\n\n## Two\nPlums.")
    library(tmp_path).add([path])
    assert (
        found_by_word(library(tmp_path), "plums")
        == found_by_meaning(library(tmp_path), "plums")
        == ["Plums."]
    )
    assert found_by_word(library(tmp_path), "pears") == []


def test_a_crash_leaves_every_document_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "docs" / "a.md", "Apples.")
    write(tmp_path / "docs" / "b.md", "## One\nPears.\n\n## Two\nPlums.")
    put_vectors = Passages._put_vectors

    def dies(self: Passages, vectors: Any, model_id: str) -> None:
        put_vectors(self, vectors, model_id)
        if len(vectors) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Passages, "_put_vectors", dies)
        with pytest.raises(KeyboardInterrupt):
            library(tmp_path).add([tmp_path / "docs"])
    assert texts(library(tmp_path)) == ["Apples."]
    assert found_by_word(library(tmp_path), "apples") == ["Apples."]
    report = library(tmp_path).add([tmp_path / "docs"])
    assert (names(report.unchanged), names(report.added)) == (["a.md"], ["b.md"])
    assert texts(library(tmp_path)) == ["Apples.", "Pears.", "Plums."]


def test_another_embedding_model_makes_all_vectors_anew_and_never_mixes(tmp_path: Path) -> None:
    library(tmp_path).add([write(tmp_path / "a.md", "Apples."), write(tmp_path / "b.md", "Pears.")])
    other = WordVectors(dimensions=32, model="other")
    rebuilt = library(tmp_path, other)
    assert found_by_meaning(rebuilt, "pears") == []
    assert found_by_word(rebuilt, "pears") == ["Pears."]
    rebuilt.embed_rest()
    assert found_by_meaning(rebuilt, "pears") == ["Pears."]
    assert len(other.embedded) == 2
    library(tmp_path, other).embed_rest()
    assert len(other.embedded) == 2


def test_embedding_anew_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path / "docs" / f"{number}.md", f"Text number {number}.")
    library(tmp_path).add([tmp_path / "docs"])

    class CutOff(WordVectors):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            if len(self.embedded) >= 16:
                raise KeyboardInterrupt
            return super().embed_documents(texts)

    first, second = CutOff(model="other"), WordVectors(model="other")
    with pytest.raises(KeyboardInterrupt):
        library(tmp_path, first).embed_rest()
    library(tmp_path, second).embed_rest()
    assert len(first.embedded) + len(second.embedded) == 40


def test_a_model_that_does_not_answer_is_told_and_what_was_added_stays(tmp_path: Path) -> None:
    class Down(WordVectors):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            if "Pears" in texts[0]:
                raise ConnectionError
            return super().embed_documents(texts)

    write(tmp_path / "docs" / "a.md", "Apples.")
    write(tmp_path / "docs" / "b.md", "Pears.")
    with pytest.raises(Unavailable, match=r"words/64.*ConnectionError"):
        library(tmp_path, Down()).add([tmp_path / "docs"])
    assert texts(library(tmp_path)) == ["Apples."]


def test_a_damaged_index_is_told_and_not_written_over(tmp_path: Path) -> None:
    whole = library(tmp_path)
    whole.add([write(tmp_path / "a.md", "Apples.")])
    whole.passages.close()
    path = tmp_path / "index" / "library.db"
    path.write_bytes(b"not what was written" * 100)
    damaged = library(tmp_path)
    assert damaged.problem is not None
    assert "damaged" in damaged.problem.en
    assert "损坏" in damaged.problem.zh
    with pytest.raises(BadDocument, match="damaged"):
        damaged.add([tmp_path / "a.md"])
    assert path.read_bytes() == b"not what was written" * 100


@pytest.mark.parametrize("lost", ["words", "vectors"])
def test_what_is_made_from_the_passages_is_made_again(tmp_path: Path, lost: str) -> None:
    library(tmp_path).add([write(tmp_path / "a.md", "Apples.")])
    shutil.rmtree(tmp_path / "index" / lost, ignore_errors=True)
    assert (
        found_by_word(library(tmp_path), "apples")
        == found_by_meaning(library(tmp_path), "apples")
        == ["Apples."]
    )


def test_an_index_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    library(tmp_path).add([write(tmp_path / "a.md", "Apples.")])
    with sqlite3.connect(tmp_path / "index" / "library.db") as db:
        db.execute("pragma user_version = 99")
    problem = library(tmp_path).problem
    assert problem is not None
    assert "format 99" in problem.en


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    problem = library(tmp_path).problem
    tmp_path.chmod(0o700)
    assert problem is not None
    assert "permissions" in problem.en


def test_several_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.md", f"Text number {n}.") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda path: library(tmp_path).add([path]), paths))
    assert len(texts(library(tmp_path))) == 6
    assert all(found_by_word(library(tmp_path), str(n)) for n in range(6))


def test_a_file_whose_name_is_not_utf8_is_indexed_and_stays(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.md")).write_text("Apples.")
    assert library(tmp_path).add([folder]).passages == 1
    assert library(tmp_path).add([folder]).removed == ()
    assert texts(library(tmp_path)) == ["Apples."]
