"""Turn the team's files into a durable index under SHORTLIST_HOME: all of a change or nothing of it.

`meta.json` names the folder that holds the current vectors and passages. A change writes a new folder beside
it and then moves a new `meta.json` into place: whatever dies before that leaves the old index as it was.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from filelock import FileLock
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from pydantic import BaseModel, ConfigDict, ValidationError

from index.bilingual import Bilingual
from index.embed import Progress, VectorCache
from index.errors import BadDocument
from index.files import replacing
from index.ingest import (
    IngestReport,
    LoadedDocument,
    Skipped,
    document_of,
    files_under,
    in_context,
    is_folder,
    load,
    passage_of,
    source_of,
)
from index.records import Passage
from index.vectors import FaissStore

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1


class Meta(BaseModel):
    """What `meta.json` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int
    folder: str
    """Where vectors and passages lie, beside this file."""
    model_id: str
    dimensions: int
    built_at_utc: str
    documents: dict[str, str]
    """Source to SHA-256 of its bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The team's documents as they were at one moment."""

    store: FaissStore
    documents: dict[str, str] = field(default_factory=dict)
    built_at_utc: str | None = None
    problem: Bilingual | None = None
    """Why there is nothing here, when the index on disk cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """What the files that were offered are worth, before anything is written."""

    loaded: tuple[LoadedDocument, ...]
    unchanged: tuple[str, ...]
    gone: tuple[str, ...]
    skipped: tuple[Skipped, ...]


class Library:
    """The index of the team's documents in one folder. Any number of processes may read while one writes."""

    def __init__(self, folder: Path, embeddings: Embeddings, model_id: str) -> None:
        self._folder = folder
        self.embeddings = embeddings
        self.model_id = model_id

    def stamp(self) -> tuple[int, int] | None:
        """A value that changes whenever the index does, whichever process changed it."""
        try:
            stat = (self._folder / "meta.json").stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino

    def read(self) -> Shelf:
        """The current index. Vectors of another model are made anew; what is damaged is left alone."""
        try:
            meta = self._meta()
            if meta is None:
                return Shelf(store=FaissStore(self.embeddings))
            if meta.model_id != self.model_id:
                with self._writing():
                    return self._embed_again()
            return self._shelf(meta)
        except BadDocument as error:
            logger.warning("the index of team documents cannot be read", extra={"reason": str(error)})
            return Shelf(store=FaissStore(self.embeddings), problem=error.message)

    def add(self, paths: Sequence[Path], progress: Progress | None = None) -> IngestReport:
        """Index what is new or changed under the paths, and forget what has gone from folders among them."""
        with self._writing():
            old = self._shelf(self._meta())
            offer = _offer(paths, old.documents)
            if offer.loaded or offer.gone:
                self._apply(old, offer, progress)
        return _report(offer, old.documents)

    def remove(self, source: str) -> int:
        """Forget a document, or every document of a folder; how many there were."""
        with self._writing():
            old = self._shelf(self._meta())
            gone = tuple(known for known in old.documents if _is_within(known, source))
            if gone:
                self._apply(old, _Offer(loaded=(), unchanged=(), gone=gone, skipped=()), None)
        return len(gone)

    def _writing(self) -> FileLock:
        self._folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self._folder / ".lock")

    def _meta(self) -> Meta | None:
        path = self._folder / "meta.json"
        try:
            meta = Meta.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise BadDocument(_damaged(self._folder)) from error
        if meta.schema_version != SCHEMA_VERSION:
            raise BadDocument(_of_another_version(self._folder, meta.schema_version))
        return meta

    def _shelf(self, meta: Meta | None) -> Shelf:
        """Read the files that `meta` names; once more if a writer has just swapped them."""
        while meta is not None:
            try:
                store = FaissStore.load(self._folder / meta.folder, self.embeddings)
                return Shelf(store=store, documents=meta.documents, built_at_utc=meta.built_at_utc)
            except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
                current = self._meta()
                if current == meta:
                    raise BadDocument(_damaged(self._folder)) from error
                meta = current
        return Shelf(store=FaissStore(self.embeddings))

    def _embed_again(self) -> Shelf:
        meta = self._meta()
        old = self._shelf(meta)
        if meta is None or meta.model_id == self.model_id:
            return old  # another process was faster
        passages = [passage_of(document) for document in old.store.documents]
        logger.info("embedding model changed, rebuilding", extra={"passages": len(passages)})
        cache = VectorCache(self.model_id)
        store = FaissStore(self.embeddings)
        self._put(store, passages, cache, None)
        return self._commit(store, old.documents)

    def _apply(self, old: Shelf, offer: _Offer, progress: Progress | None) -> None:
        """Write the index that follows from `old` and an offer."""
        fresh = {document.source: document.sha256 for document in offer.loaded}
        outdated = [d for d in old.store.documents if d.metadata["source"] in {*fresh, *offer.gone}]
        cache = self._vectors_of(old.store, outdated)
        old.store.delete([str(document.id) for document in outdated])
        passages = [passage for document in offer.loaded for passage in document.passages]
        self._put(old.store, passages, cache, progress)
        kept = {s: sha256 for s, sha256 in old.documents.items() if s not in offer.gone}
        self._commit(old.store, {**kept, **fresh})

    def _vectors_of(self, store: FaissStore, documents: Sequence[Document]) -> VectorCache:
        """What need not be embedded again when only some passages of a document have changed."""
        cache = VectorCache(self.model_id)
        wanted = {document.id for document in documents}
        rows = [row for row, document in enumerate(store.documents) if document.id in wanted]
        if rows:
            cache.put([in_context(passage_of(store.documents[row])) for row in rows], store.vectors[rows])
        return cache

    def _put(
        self, store: FaissStore, passages: Sequence[Passage], cache: VectorCache, progress: Progress | None
    ) -> None:
        vectors = cache.passages([in_context(p) for p in passages], self.embeddings, progress)
        store.add_documents([document_of(p) for p in passages], vectors=vectors)

    def _commit(self, store: FaissStore, documents: dict[str, str]) -> Shelf:
        """Write everything beside the old index, then swap, then tidy up."""
        name = f"v-{uuid4().hex[:12]}"
        store.save(self._folder / name)
        meta = Meta(
            schema_version=SCHEMA_VERSION,
            folder=name,
            model_id=self.model_id,
            dimensions=store.vectors.shape[1],
            built_at_utc=datetime.now(UTC).isoformat(timespec="milliseconds"),
            documents=dict(sorted(documents.items())),
        )
        with replacing(self._folder / "meta.json") as temporary:
            temporary.write_text(meta.model_dump_json(indent=1), encoding="utf-8")
        for leftover in self._folder.glob("v-*"):
            if leftover.name != name:
                shutil.rmtree(leftover, ignore_errors=True)
        return Shelf(store=store, documents=meta.documents, built_at_utc=meta.built_at_utc)


def _offer(paths: Sequence[Path], known: dict[str, str]) -> _Offer:
    """Read every file under the paths; what cannot be read becomes a reason."""
    files, skipped = files_under(paths)
    loaded, unchanged = [], []
    for path in files:
        try:
            document = load(path, known.get(source_of(path)))
        except BadDocument as error:
            skipped.append(Skipped(source=source_of(path), reason=error.message))
            continue
        if document is None:
            unchanged.append(source_of(path))
        else:
            loaded.append(document)
    unseen = set(known).difference(map(source_of, files))
    folders = [str(path.resolve()) for path in paths if is_folder(path)]
    gone = [s for s in unseen if any(_is_within(s, folder) for folder in folders) and _has_gone(Path(s))]
    return _Offer(
        loaded=tuple(loaded), unchanged=tuple(unchanged), gone=tuple(sorted(gone)), skipped=tuple(skipped)
    )


def _report(offer: _Offer, known: dict[str, str]) -> IngestReport:
    return IngestReport(
        added=tuple(d.source for d in offer.loaded if d.source not in known),
        changed=tuple(d.source for d in offer.loaded if d.source in known),
        unchanged=offer.unchanged,
        removed=offer.gone,
        skipped=offer.skipped,
        passages=sum(len(d.passages) for d in offer.loaded),
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


def _damaged(folder: Path) -> Bilingual:
    return Bilingual(
        en=f"The index of your documents in {str(folder)!r} is damaged. Delete it and add them again; "
        "until then I answer from my own articles.",
        zh=f"{str(folder)!r} 中的团队文档索引已损坏。请删除该目录并重新添加文档；"
        "在此之前我只用自带的文章回答。",
    )


def _of_another_version(folder: Path, version: int) -> Bilingual:
    return Bilingual(
        en=f"The index in {str(folder)!r} has format {version}, and this version reads {SCHEMA_VERSION}. "
        "Update Shortlist, or delete that folder and add the documents again.",
        zh=f"{str(folder)!r} 中的索引格式为 {version}，当前版本的 Shortlist 只能读取 {SCHEMA_VERSION}。"
        "请升级 Shortlist，或删除该目录并重新添加文档。",
    )
