"""Turn our articles and the team's files into passages that can be searched, and keep them so under SHORTLIST_HOME.

Every document is one transaction: a crash leaves each either as it was or as it is. What is searched with (words,
vectors) is brought up to the passages afterwards, by whoever comes first.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import filelock
import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from index.bilingual import Bilingual
from index.embed import Matrix, VectorCache
from index.errors import BadDocument, ShortlistError, Unavailable
from index.gate import PROBES
from index.ingest import (
    KNOWLEDGE,
    SHIPPED_VECTORS,
    IngestReport,
    LoadedDocument,
    Noted,
    Skipped,
    embedded,
    files_under,
    is_folder,
    load,
    shipped_passages,
    source_of,
    wording,
)
from index.passages import IN_MEMORY, SCHEMA_VERSION, OfAnotherVersion, Passages
from index.records import Passage
from index.spelling import corrected, vocabulary_of
from index.vectors import FaissStore
from index.words import WordIndex, simplified

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, int], None]
"""Called with files done, files in all, and passages embedded so far."""

_BATCH = 16
_TAKEN_IN_AT_ONCE = 2_000

_ARTICLES = "articles"
_VOCABULARY = "words of the articles"
_EMBEDDED_BY = "embedded by"
_BUILT_AT_UTC = "built at"
_CUT = "1"
"""Goes up when articles are cut into passages in another way."""


class Library:
    """What can be searched, in one folder. Any number of threads and processes may use it at once.

    A folder that is damaged or cannot be written is left alone: our own articles are then kept in memory.
    """

    def __init__(
        self, folder: Path, embeddings: Embeddings, model_id: str, articles: Path = KNOWLEDGE
    ) -> None:
        self.embeddings = embeddings
        self.model_id = model_id
        self._articles = articles
        self.problem: Bilingual | None = None
        """Why the team's documents cannot be read, when they cannot."""
        self._in_this_process = threading.RLock()
        self._vocabulary: list[str] | None = None
        try:
            self._open(folder)
        except (sqlite3.Error, OfAnotherVersion, OSError) as error:
            logger.warning("the index of team documents cannot be used", extra={"reason": str(error)})
            self.problem = _problem(folder, error)
            self._open(None)

    def _open(self, folder: Path | None) -> None:
        self.passages = Passages(folder / "library.db" if folder else IN_MEMORY)
        self._among_processes = filelock.FileLock(folder / ".lock", thread_local=False) if folder else None
        self.words = WordIndex(folder / "words" if folder else None)
        vectors = folder / "vectors" if folder else None
        self.store = FaissStore(self.embeddings, self.passages, self.model_id, vectors)
        self._take_in_articles()
        self._take_in_shipped_vectors()
        self.refresh()

    @contextmanager
    def _alone(self, *, wait: bool = True) -> Iterator[bool]:
        """True in the one process and thread that may be here; false at once for others that do not wait."""
        with self._in_this_process, ExitStack() as held:
            try:
                if self._among_processes is not None:
                    held.enter_context(self._among_processes.acquire(timeout=-1 if wait else 0))
            except filelock.Timeout:
                yield False
            else:
                yield True

    def _take_in_articles(self) -> None:
        """Make our articles those that came with this version of the program."""
        now = _fingerprint(self._articles)
        if self.passages.noted(_ARTICLES) == now:
            return
        with self._alone():
            if self.passages.noted(_ARTICLES) == now:
                return  # another process was faster
            articles = defaultdict(list)
            for passage in shipped_passages(self._articles):
                articles[passage.source].append(passage)
            gone = self.passages.remove(set(self.passages.documents(ours=True)).difference(articles))
            for source, passages in articles.items():
                gone += self.passages.put(source, "", passages, ours=True)
            self._index_words(gone)
            words = vocabulary_of(wording(passage) for several in articles.values() for passage in several)
            self.passages.note(_VOCABULARY, " ".join(words))
            self.passages.note(_EMBEDDED_BY, "")
            self.passages.note(_ARTICLES, now)

    def _take_in_shipped_vectors(self) -> None:
        if self.is_embedded:
            return
        shipped = VectorCache.load(SHIPPED_VECTORS, self.model_id)
        texts = {passage.id: wording(passage) for passage in self.passages.without_vector(self.model_id, -1)}
        vectors = {name: shipped.of(text) for name, text in texts.items() if text in shipped}
        self.passages.put_vectors(vectors, self.model_id)
        if not self.passages.without_vector(self.model_id, 1):
            self._all_embedded()

    @property
    def is_embedded(self) -> bool:
        """False while some passages can be found by their words only."""
        return self.passages.noted(_EMBEDDED_BY) == self.model_id

    def _all_embedded(self) -> None:
        self.passages.drop_vectors_of_other_models(self.model_id)
        self.passages.note(_EMBEDDED_BY, self.model_id)
        self.store.compress()

    def embed_rest(self) -> None:
        """Embed what this model has not embedded yet, as after a change of model; forget what others did.

        Each batch is kept at once: when this is cut off, the next one goes on from there.
        """
        while not self.is_embedded:
            batch = self.passages.without_vector(self.model_id, _BATCH)
            if not batch:
                self._all_embedded()
                break
            self.passages.put_vectors(self._embed(batch), self.model_id)

    def corrected(self, query: str) -> str:
        """The question in simplified characters, its mistyped words mended where there is little doubt."""
        if self._vocabulary is None:
            self._vocabulary = (self.passages.noted(_VOCABULARY) or "").split()
        return corrected(simplified(query), self._vocabulary, self.words.holds)

    def probes(self) -> Matrix:
        """The vectors of the questions that the gate takes its measure from."""
        return VectorCache.load(SHIPPED_VECTORS, self.model_id).queries(PROBES, self.embeddings)

    def refresh(self) -> None:
        """Bring the word index up to the passages, unless another process is doing so."""
        self.words.reload()
        if self.words.last_row < self.passages.last_row():
            self._index_words(wait=False)

    def _index_words(self, gone: Sequence[int] = (), *, wait: bool = True) -> None:
        """Add what is not in the word index yet, and take out what has gone."""
        with self._alone(wait=wait) as is_ours_to_do:
            while is_ours_to_do:
                fresh = self.passages.after(self.words.last_row, _TAKEN_IN_AT_ONCE)
                if not fresh and not gone:
                    break
                self.words.update({row: wording(passage) for row, passage in fresh.items()}, gone)
                gone = ()

    def add(self, paths: Sequence[Path], progress: Progress | None = None) -> IngestReport:
        """Index what is new or changed under the paths, and forget what has gone from folders among them.

        Raises BadDocument when the index itself is damaged, and Unavailable when the embedding model is.
        """
        if self.problem is not None:
            raise BadDocument(self.problem)
        files, skipped = files_under(paths)
        addition = _Addition(self, self.passages.documents(ours=False), list(skipped), progress, len(files))
        for path in files:
            addition.take(path)
        gone = _gone(addition.known, files, paths)
        addition.gone_rows += self.passages.remove(gone) if gone else []
        self._index_words(addition.gone_rows)
        self.store.compress()
        return addition.report(gone)

    def remove(self, source: str) -> int:
        """Forget a document, or every document of a folder; how many there were."""
        gone = [known for known in self.passages.documents(ours=False) if _is_within(known, source)]
        if gone:
            self._index_words(self.passages.remove(gone))
        return len(gone)

    def put(self, document: LoadedDocument, progress: Callable[[int], None]) -> list[int]:
        """Let a document of the team be as it was loaded, embedding what is new in it; the rows that have gone."""
        known = self.passages.known(passage.id for passage in document.passages)
        fresh = [passage for passage in document.passages if passage.id not in known]
        vectors: dict[str, NDArray[np.float32]] = {}
        for start in range(0, len(fresh), _BATCH):
            vectors |= self._embed(fresh[start : start + _BATCH])
            progress(len(vectors))
        gone = self.passages.put(
            document.source, document.sha256, document.passages, vectors, model_id=self.model_id
        )
        self.passages.note(_BUILT_AT_UTC, datetime.now(UTC).isoformat(timespec="milliseconds"))
        return gone

    @property
    def built_at_utc(self) -> str | None:
        """When a document was last added."""
        return self.passages.noted(_BUILT_AT_UTC)

    def _embed(self, passages: Sequence[Passage]) -> dict[str, NDArray[np.float32]]:
        """The vector of each passage by its id."""
        try:
            rows = embedded(passages, self.embeddings)
            return {passage.id: row for passage, row in zip(passages, rows, strict=True)}
        except ShortlistError:
            raise
        except Exception as error:  # whatever the library of a remote model raises
            logger.warning("the embedding model failed", exc_info=True)
            raise Unavailable(_cannot_embed(self.model_id, error)) from error


@dataclass(slots=True)
class _Addition:
    """Files becoming documents, one after the other, and what became of each."""

    library: Library
    known: dict[str, str]
    skipped: list[Skipped]
    tell: Progress | None
    n_files: int
    noted: list[Noted] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    gone_rows: list[int] = field(default_factory=list)
    n_done: int = 0
    n_passages: int = 0

    def take(self, path: Path) -> None:
        """Read one file and index it; what cannot be read becomes a reason."""
        source = source_of(path)
        try:
            document = load(path, self.known.get(source))
        except BadDocument as error:
            self.skipped.append(Skipped(source=source, reason=error.message))
        else:
            self._put(source, document)
        self.n_done += 1
        self._progress(0)

    def _put(self, source: str, document: LoadedDocument | None) -> None:
        if document is None:
            self.unchanged.append(source)
            return
        self.gone_rows += self.library.put(document, self._progress)
        if document.note is not None:
            self.noted.append(Noted(source=source, note=document.note))
        (self.changed if source in self.known else self.added).append(source)
        self.n_passages += len(document.passages)

    def _progress(self, n_embedded: int) -> None:
        if self.tell is not None:
            self.tell(self.n_done, self.n_files, self.n_passages + n_embedded)

    def report(self, removed: Sequence[str]) -> IngestReport:
        """What happened to every file."""
        return IngestReport(
            added=tuple(self.added),
            changed=tuple(self.changed),
            unchanged=tuple(self.unchanged),
            removed=tuple(removed),
            skipped=tuple(self.skipped),
            noted=tuple(self.noted),
            passages=self.n_passages,
        )


def _fingerprint(articles: Path) -> str:
    """A hash of our articles as they lie on disk, and of the way they are cut."""
    whole = hashlib.sha256(_CUT.encode())
    for path in sorted([*articles.glob("*/*.md"), *articles.glob("asks/*/*.yaml")]):
        whole.update(path.read_bytes())
    return whole.hexdigest()


def _gone(known: Iterable[str], files: Sequence[Path], paths: Sequence[Path]) -> list[str]:
    """Known documents that are certainly no longer in the folders among the paths."""
    unseen = set(known).difference(map(source_of, files))
    folders = [str(path.resolve()) for path in paths if is_folder(path)]
    return sorted(
        s for s in unseen if any(_is_within(s, folder) for folder in folders) and _has_gone(Path(s))
    )


def _is_within(source: str, place: str) -> bool:
    """True when `source` is this file or lies under this folder, however the place is spelled."""
    return any(Path(source) == p or p in Path(source).parents for p in (Path(place), Path(place).resolve()))


def _has_gone(path: Path) -> bool:
    """True only when it is certain: a folder that may not be read says nothing about its files."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _problem(folder: Path, error: Exception) -> Bilingual:
    if isinstance(error, OfAnotherVersion):
        return _of_another_version(folder, error.found)
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return _damaged(folder)
    return _out_of_reach(folder, error)


def _damaged(folder: Path) -> Bilingual:
    return Bilingual(
        en=f"The index of your documents in {str(folder)!r} is damaged. Delete it and add them again; "
        "until then I answer from my own articles.",
        zh=f"{str(folder)!r} 中的团队文档索引已损坏。请删除该目录并重新添加文档；"
        "在此之前我只用自带的文章回答。",
    )


def _out_of_reach(folder: Path, error: Exception) -> Bilingual:
    return Bilingual(
        en=f"The index of your documents in {str(folder)!r} cannot be used ({error}). Check its permissions and "
        "the room on the disk; until then I answer from my own articles.",
        zh=f"无法使用 {str(folder)!r} 中的团队文档索引（{error}）。请检查目录权限和磁盘空间；"
        "在此之前我只用自带的文章回答。",
    )


def _of_another_version(folder: Path, version: int) -> Bilingual:
    return Bilingual(
        en=f"The index in {str(folder)!r} has format {version}, and this version reads {SCHEMA_VERSION}. "
        "Update Shortlist, or delete that folder and add the documents again.",
        zh=f"{str(folder)!r} 中的索引格式为 {version}，当前版本的 Shortlist 只能读取 {SCHEMA_VERSION}。"
        "请升级 Shortlist，或删除该目录并重新添加文档。",
    )


def _cannot_embed(model_id: str, error: Exception) -> Bilingual:
    reason = type(error).__name__
    return Bilingual(
        en=f"The embedding model {model_id!r} did not answer ({reason}). What was added before is kept: check "
        "its server and key, and add the rest again.",
        zh=f"嵌入模型 {model_id!r} 没有响应（{reason}）。此前已添加的内容都已保存："
        "请检查其服务和密钥，然后重新添加其余文件。",
    )
