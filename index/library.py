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
from index.library_words import cannot_embed, problem_with
from index.passages import EVERYTHING, IN_MEMORY, OfAnotherVersion, Passages
from index.records import Passage
from index.spelling import corrected, vocabulary_of
from index.vectors import FaissStore
from index.views import View, is_within, require_audience
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
            self.problem = problem_with(folder, error)
            self._open(None)

    def _open(self, folder: Path | None) -> None:
        self._folder = folder
        self.passages = Passages(folder / "library.db" if folder else IN_MEMORY)
        self._among_processes = filelock.FileLock(folder / ".lock", thread_local=False) if folder else None
        self._views: dict[str | None, View] = {None: self._open_view(None)}
        self._take_in_articles()
        self._take_in_shipped_vectors()
        self.refresh()

    def _open_view(self, audience: str | None) -> View:
        passages = self.passages.seen_from(audience)
        words, vectors = (self._part(name, audience) for name in ("words", "vectors"))
        store = FaissStore(self.embeddings, passages, self.model_id, vectors)
        return View(passages=passages, words=WordIndex(words), store=store, model_id=self.model_id)

    def _part(self, name: str, audience: str | None) -> Path | None:
        """The folder of what is made from the passages of one audience."""
        if self._folder is None:
            return None
        suffix = {None: "", EVERYTHING: "-all"}.get(audience, f"-{audience}")
        return self._folder / f"{name}{suffix}"

    def view(self, audience: str | None) -> View:
        """What is seen from a channel. Where nothing is limited to it, that is what everybody sees."""
        channels = self.passages.channels()
        if not channels or (audience != EVERYTHING and audience not in channels):
            return self._views[None]
        with self._in_this_process:
            if audience not in self._views:
                self._views[audience] = self._open_view(audience)
        view = self._views[audience]
        if view.is_behind:
            self._bring_up(view, wait=True)
        return view

    @property
    def words(self) -> WordIndex:
        """The words of what is for everybody."""
        return self._views[None].words

    @property
    def store(self) -> FaissStore:
        """The vectors of what is for everybody."""
        return self._views[None].store

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

    def corrected(self, query: str, words: WordIndex) -> str:
        """The question in simplified characters, its mistyped words mended where there is little doubt.

        `words` are those that the asker may see: others must not show in what is mended.
        """
        if self._vocabulary is None:
            self._vocabulary = (self.passages.noted(_VOCABULARY) or "").split()
        return corrected(simplified(query), self._vocabulary, words.holds)

    def probes(self) -> Matrix:
        """The vectors of the questions that the gate takes its measure from."""
        return VectorCache.load(SHIPPED_VECTORS, self.model_id).queries(PROBES, self.embeddings)

    def refresh(self) -> None:
        """Bring the word indexes up to the passages, unless another process is doing so."""
        for view in list(self._views.values()):
            view.words.reload()
            if view.is_behind:
                self._bring_up(view, wait=False)

    def _index_words(self, gone: Sequence[int] = ()) -> None:
        """Add to every word index what is not in it yet, and take out what has gone."""
        for audience in (None, *self._audiences()):
            self._bring_up(self._views.get(audience) or self._open_view(audience), gone, wait=True)

    def _audiences(self) -> list[str]:
        channels = self.passages.channels()
        return [*channels, EVERYTHING] if channels else []

    def _bring_up(self, view: View, gone: Sequence[int] = (), *, wait: bool) -> None:
        with self._alone(wait=wait) as is_ours_to_do:
            while is_ours_to_do:
                fresh = view.passages.after(view.words.last_row, _TAKEN_IN_AT_ONCE)
                if not fresh and not gone:
                    break
                view.words.update({row: wording(passage) for row, passage in fresh.items()}, gone)
                gone = ()

    def add(
        self,
        paths: Sequence[Path],
        progress: Progress | None = None,
        channels: frozenset[str] | None = None,
    ) -> IngestReport:
        """Index what is new or changed under the paths, and forget what has gone from folders among them.

        `channels`: who may see it; none of them is everybody, and None keeps what was said before. Raises BadDocument
        when the index itself is damaged, Unavailable when the embedding model is, and SayForWhom when new files lie
        among limited ones.
        """
        if self.problem is not None:
            raise BadDocument(self.problem)
        files, skipped = files_under(paths)
        known, limited = self.passages.documents(ours=False), self.passages.audiences()
        if channels is None:
            require_audience(paths, files, known, limited)
        addition = _Addition(self, known, list(skipped), progress, len(files), limited, channels)
        for path in files:
            addition.take(path)
        gone = _gone(addition.known, files, paths)
        addition.gone_rows += self.passages.remove(gone) if gone else []
        self._index_words(addition.gone_rows)
        for view in self._views.values():
            view.store.compress()
        return addition.report(gone)

    def remove(self, source: str) -> int:
        """Forget a document, or every document of a folder; how many there were."""
        gone = [known for known in self.passages.documents(ours=False) if is_within(known, source)]
        if gone:
            self._index_words(self.passages.remove(gone))
        return len(gone)

    def put(
        self,
        document: LoadedDocument,
        progress: Callable[[int], None],
        channels: frozenset[str] = frozenset(),
    ) -> list[int]:
        """Let a document of the team be as it was loaded, embedding what is new in it; the rows that have gone."""
        is_moved = self.passages.audiences().get(document.source, frozenset()) != channels
        known = set() if is_moved else self.passages.known(passage.id for passage in document.passages)
        fresh = [passage for passage in document.passages if passage.id not in known]
        vectors: dict[str, NDArray[np.float32]] = {}
        for start in range(0, len(fresh), _BATCH):
            vectors |= self._embed(fresh[start : start + _BATCH])
            progress(len(vectors))
        gone = self.passages.put(
            document.source,
            document.sha256,
            document.passages,
            vectors,
            model_id=self.model_id,
            channels=channels,
        )
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        for audience in channels or ("",):
            self.passages.note(f"{_BUILT_AT_UTC} {audience}".strip(), now)
        return gone

    def built_at_utc(self, audience: str | None) -> str | None:
        """When a document that this audience sees was last added."""
        seen = [audience] if audience != EVERYTHING else self.passages.channels()
        notes = [self.passages.noted(f"{_BUILT_AT_UTC} {name or ''}".strip()) for name in (None, *seen)]
        return max((note for note in notes if note), default=None)

    def _embed(self, passages: Sequence[Passage]) -> dict[str, NDArray[np.float32]]:
        """The vector of each passage by its id."""
        try:
            rows = embedded(passages, self.embeddings)
            return {passage.id: row for passage, row in zip(passages, rows, strict=True)}
        except ShortlistError:
            raise
        except Exception as error:  # whatever the library of a remote model raises
            logger.warning("the embedding model failed", exc_info=True)
            raise Unavailable(cannot_embed(self.model_id, error)) from error


@dataclass(slots=True)
class _Addition:
    """Files becoming documents, one after the other, and what became of each."""

    library: Library
    known: dict[str, str]
    skipped: list[Skipped]
    tell: Progress | None
    n_files: int
    limited: dict[str, frozenset[str]]
    channels: frozenset[str] | None = None
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
        is_moved = self.limited.get(source, frozenset()) != self._for(source)
        try:
            document = load(path, None if is_moved else self.known.get(source))
        except BadDocument as error:
            self.skipped.append(Skipped(source=source, reason=error.message))
        else:
            self._put(source, document)
        self.n_done += 1
        self._progress(0)

    def _for(self, source: str) -> frozenset[str]:
        """Who may see a document: as it is said now, else as before."""
        return self.limited.get(source, frozenset()) if self.channels is None else self.channels

    def _put(self, source: str, document: LoadedDocument | None) -> None:
        if document is None:
            self.unchanged.append(source)
            return
        self.gone_rows += self.library.put(document, self._progress, self._for(source))
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
    return sorted(s for s in unseen if any(is_within(s, folder) for folder in folders) and _has_gone(Path(s)))


def _has_gone(path: Path) -> bool:
    """True only when it is certain: a folder that may not be read says nothing about its files."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
