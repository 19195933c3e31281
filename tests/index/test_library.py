"""The team's index on disk: incremental, all or nothing, and of one embedding model."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from index.errors import BadDocument
from index.library import Library, Shelf
from index.vectors import FaissStore
from tests.index.builders import WordVectors, write


def library(tmp_path: Path, embeddings: WordVectors | None = None) -> Library:
    embeddings = embeddings or WordVectors()
    return Library(tmp_path / "index", embeddings, f"{embeddings.model}/{embeddings.dimensions}")


def texts(shelf: Shelf) -> list[str]:
    return sorted(document.page_content for document in shelf.store.documents)


def names(sources: tuple[str, ...]) -> list[str]:
    return [Path(source).name for source in sources]


def test_a_folder_is_added_and_found_again_by_another_process(tmp_path: Path) -> None:
    write(tmp_path / "docs" / "a.md", "## One\nApples.")
    write(tmp_path / "docs" / "b.txt", "Trains.")
    report = library(tmp_path).add([tmp_path / "docs"])
    assert (names(report.added), report.passages) == (["a.md", "b.txt"], 2)
    assert texts(library(tmp_path).read()) == ["Apples.", "Trains."]


def test_unchanged_files_are_neither_read_nor_embedded_again(tmp_path: Path) -> None:
    embeddings = WordVectors()
    write(tmp_path / "docs" / "a.md", "Apples.")
    library(tmp_path, embeddings).add([tmp_path / "docs"])
    before = library(tmp_path).stamp()
    report = library(tmp_path, embeddings).add([tmp_path / "docs"])
    assert (names(report.unchanged), report.added, report.passages) == (["a.md"], (), 0)
    assert len(embeddings.embedded) == 1
    assert library(tmp_path).stamp() == before


def test_of_a_changed_file_only_the_changed_section_is_embedded(tmp_path: Path) -> None:
    embeddings = WordVectors()
    path = write(tmp_path / "a.md", "## One\nApples.\n\n## Two\nPears.")
    library(tmp_path, embeddings).add([path])
    write(path, "## One\nApples.\n\n## Two\nPlums.")
    report = library(tmp_path, embeddings).add([path])
    assert names(report.changed) == ["a.md"]
    assert embeddings.embedded[2:] == ["a\nTwo\nPlums."]
    assert texts(library(tmp_path).read()) == ["Apples.", "Plums."]


def test_a_file_that_has_gone_from_its_folder_is_forgotten(tmp_path: Path) -> None:
    write(tmp_path / "docs" / "a.md", "Apples.")
    gone = write(tmp_path / "docs" / "b.md", "Pears.")
    library(tmp_path).add([tmp_path / "docs"])
    gone.unlink()
    assert names(library(tmp_path).add([tmp_path / "docs"]).removed) == ["b.md"]
    assert texts(library(tmp_path).read()) == ["Apples."]


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
    assert texts(library(tmp_path).read()) == ["Apples."]


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
    assert texts(library(tmp_path).read()) == ["docs2/c.md"]


def test_a_crash_while_writing_leaves_the_old_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library(tmp_path).add([write(tmp_path / "a.md", "Apples.")])

    def dies(_self: FaissStore, folder: Path) -> None:
        folder.mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FaissStore, "save", dies)
        with pytest.raises(KeyboardInterrupt):
            library(tmp_path).add([write(tmp_path / "b.md", "Pears.")])
    assert texts(library(tmp_path).read()) == ["Apples."]
    library(tmp_path).add([tmp_path / "b.md"])
    assert texts(library(tmp_path).read()) == ["Apples.", "Pears."]
    assert len(list((tmp_path / "index").glob("v-*"))) == 1


def test_another_embedding_model_makes_all_vectors_anew(tmp_path: Path) -> None:
    library(tmp_path).add([write(tmp_path / "a.md", "Apples."), write(tmp_path / "b.md", "Pears.")])
    other = WordVectors(dimensions=32, model="other")
    shelf = library(tmp_path, other).read()
    assert shelf.store.vectors.shape == (2, 32)
    assert len(other.embedded) == 2
    assert len(shelf.documents) == 2
    library(tmp_path, other).read()
    assert len(other.embedded) == 2


@pytest.mark.parametrize("damage", ["meta.json", "vectors.faiss", "passages.jsonl"])
def test_a_damaged_index_is_told_and_not_written_over(tmp_path: Path, damage: str) -> None:
    library(tmp_path).add([write(tmp_path / "a.md", "Apples.")])
    (path,) = (tmp_path / "index").rglob(damage)
    path.write_bytes(b"not what was written")
    shelf = library(tmp_path).read()
    assert shelf.problem is not None
    assert "damaged" in shelf.problem.en
    assert "损坏" in shelf.problem.zh
    with pytest.raises(BadDocument, match="damaged"):
        library(tmp_path).add([tmp_path / "a.md"])
    assert path.read_bytes() == b"not what was written"


def test_an_index_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    library(tmp_path).add([write(tmp_path / "a.md", "Apples.")])
    meta = tmp_path / "index" / "meta.json"
    meta.write_text(meta.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    problem = library(tmp_path).read().problem
    assert problem is not None
    assert "format 2" in problem.en


def test_several_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.md", f"Text number {n}.") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda path: library(tmp_path).add([path]), paths))
    assert len(library(tmp_path).read().documents) == 6


def test_a_file_whose_name_is_not_utf8_is_indexed_and_stays(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.md")).write_text("Apples.")
    assert library(tmp_path).add([folder]).passages == 1
    assert library(tmp_path).add([folder]).removed == ()
    assert texts(library(tmp_path).read()) == ["Apples."]
