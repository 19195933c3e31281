"""Turn files into passages, ours and the team's: parsed by kind, cut at headings, pages or rows.

Each passage keeps a locator, which says where in the file it stands. The parsers are in `index/parsers`.

`python -m index.ingest --build-vectors` embeds our articles again and writes `knowledge/vectors.npz`.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import yaml
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from index.bilingual import Bilingual, Language
from index.embed import Matrix, VectorCache, default_embeddings, normalised
from index.errors import BadDocument
from index.gate import PROBES
from index.parsers.cut import MAX_PASSAGE_TOKENS, MAX_PASSAGES, estimated_tokens, quotable
from index.parsers.parsed import Parsed, Section
from index.parsers.registry import PARSERS
from index.records import Passage
from index.words import HAN, simplified

__all__ = [  # of other modules, for those who know them from here
    "MAX_PASSAGE_TOKENS",
    "estimated_tokens",
]

logger = logging.getLogger(__name__)

KNOWLEDGE = Path(__file__).parent / "knowledge"
SHIPPED_VECTORS = KNOWLEDGE / "vectors.npz"

MAX_FILE_MB = 20
_MAX_FILE_BYTES = MAX_FILE_MB * 1_000_000

_LATIN_WORD = re.compile(r"[A-Za-z]+")
_HAN_CHARACTER = re.compile(f"[{HAN}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file that gave no passages, and why."""

    source: str
    reason: Bilingual


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A document of which only a part could be added, and which."""

    source: str
    note: Bilingual


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What happened to each document that was offered, by source."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    """Known documents that have gone from a folder that was given."""
    skipped: tuple[Skipped, ...] = ()
    """An earlier version of a skipped document stays in the index."""
    noted: tuple[Noted, ...] = ()
    """Added or changed documents of which a part is missing."""
    passages: int = 0
    """Passages of the added and changed documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedDocument:
    """A readable document: the hash of its bytes, and its passages."""

    source: str
    sha256: str
    passages: tuple[Passage, ...]
    note: Bilingual | None = None
    """What is missing, where only a part could be read."""


def shipped_passages(articles: Path = KNOWLEDGE) -> list[Passage]:
    """Our own articles, English first."""
    passages: list[Passage] = []
    for path in sorted(articles.glob("*/*.md")):
        source = path.relative_to(articles.parent).as_posix()
        asks = _asks(articles / "asks" / path.parent.name / f"{path.stem}.yaml")
        found = passages_of(path.read_bytes(), source)
        passages.extend(_asked(passage, tuple(asks.get(passage.locator, ()))) for passage in found)
    return passages


def _asked(passage: Passage, asks: tuple[str, ...]) -> Passage:
    """The passage with the questions that it answers, which make it another one."""
    if not asks:
        return passage
    return replace(passage, id=_name(passage.id, *asks), asks=asks)


def _asks(path: Path) -> dict[str, list[str]]:
    """By heading, the questions that each section of an article answers."""
    if not path.is_file():
        return {}
    asks: dict[str, list[str]] = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    return asks


def load(path: Path, known_sha256: str | None = None) -> LoadedDocument | None:
    """Read and cut one file; None when its bytes are known already. Raises BadDocument with the reason."""
    data = _read(path)
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 == known_sha256:
        return None
    source = source_of(path)
    parsed = _parsed(data, source)
    passages = tuple(_passages(parsed, source))
    return LoadedDocument(source=source, sha256=sha256, passages=passages, note=parsed.note)


def source_of(path: Path) -> str:
    """The name under which a file is known. Names that are not UTF-8 become printable."""
    return str(path).encode("utf-8", "replace").decode("utf-8")


def passages_of(data: bytes, source: str) -> list[Passage]:
    """Cut the bytes of a file into passages; the name of `source` says which parser reads them."""
    return _passages(_parsed(data, source), source)


def _parsed(data: bytes, source: str) -> Parsed:
    name = Path(source)
    if not data.strip():
        raise BadDocument(_NO_TEXT)
    return PARSERS[name.suffix.lower()](data, name.stem)


def _passages(parsed: Parsed, source: str) -> list[Passage]:
    """Of a passage that occurs twice at one place, the first."""
    whole = "\n".join(section.text for section in parsed.sections)
    language = parsed.language or detect_language(whole)
    pieces = list(islice(quotable(parsed.sections), MAX_PASSAGES + 1))
    if not pieces:
        raise BadDocument(_NO_TEXT)
    if len(pieces) > MAX_PASSAGES:
        raise BadDocument(_TOO_MANY_PASSAGES)
    passages = (_passage(piece, parsed, source, language) for piece in pieces)
    return list({passage.id: passage for passage in passages}.values())


def detect_language(text: str) -> Language:
    """Chinese when it has at least as many Chinese characters as words in Latin letters."""
    han = len(_HAN_CHARACTER.findall(text))
    return "zh" if han and han >= len(_LATIN_WORD.findall(text)) else "en"


def files_under(paths: Sequence[Path]) -> tuple[list[Path], list[Skipped]]:
    """The files that the paths name, folders searched to the bottom, and what may not or cannot be read.

    Hidden files are left out, and so are linked folders: what lies within reach is read where it lies. A link
    that leads out of the folder that was given is not followed.
    """
    files: list[Path] = []
    skipped: list[Skipped] = []
    for path in (Path(os.path.realpath(given)) for given in paths):
        if is_folder(path):
            files.extend(_within(path, skipped))
        else:
            files.append(path)
    return list(dict.fromkeys(files)), list(dict.fromkeys(skipped))


def _within(root: Path, skipped: list[Skipped]) -> Iterator[Path]:
    """The files of a folder; what is left out and why is added to `skipped`."""

    def cannot_be_read(error: OSError) -> None:
        skipped.append(Skipped(source=source_of(Path(error.filename)), reason=_unreadable(error)))

    for folder, subfolders, names in os.walk(root, onerror=cannot_be_read):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        visible = [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
        linked = [Path(folder, name) for name in subfolders if Path(folder, name).is_symlink()]
        outside = [path for path in visible + linked if path.is_symlink() and _leads_out(path, root)]
        skipped.extend(Skipped(source=source_of(path), reason=_OUTSIDE) for path in outside)
        yield from (path for path in visible if path not in outside)


def _leads_out(link: Path, root: Path) -> bool:
    return not Path(os.path.realpath(link)).is_relative_to(root)


def is_folder(path: Path) -> bool:
    """True when it is known to be one: what may not be looked at is tried as a file, and gets its reason there."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _read(path: Path) -> bytes:
    """The bytes of a file that is worth parsing."""
    try:
        if not path.is_file():  # a pipe or a device would be waited on for ever
            raise BadDocument(_not_there(path))
        if path.suffix.lower() not in PARSERS:
            raise BadDocument(_unknown_kind(path))
        n_bytes = path.stat().st_size
        with path.open(
            "rb"
        ) as file:  # the size of what is being written, or made up as it is read, is not certain
            data = b"" if n_bytes > _MAX_FILE_BYTES else file.read(_MAX_FILE_BYTES + 1)
        if max(n_bytes, len(data)) > _MAX_FILE_BYTES:
            raise BadDocument(_too_big(max(n_bytes, len(data)) / 1e6))
        return data
    except OSError as error:
        raise BadDocument(_unreadable(error)) from error


def _passage(piece: Section, parsed: Parsed, source: str, language: Language) -> Passage:
    locator = piece.locator(language)
    return Passage(
        id=_name(source, parsed.title, locator, piece.text),
        source=source,
        title=parsed.title,
        locator=locator,
        text=piece.text,
        language=language,
        topic=parsed.topic,
        url=parsed.url,
    )


def _name(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def in_context(passage: Passage) -> str:
    """What is embedded and searched: the text with the title and headings above it, in simplified characters."""
    return simplified("\n".join(filter(None, (passage.title, passage.locator, passage.text))))


def wording(passage: Passage) -> str:
    """All words by which a passage is found: its own, and those of the questions that it answers."""
    return "\n".join((in_context(passage), *passage.asks))


def embedded(passages: Sequence[Passage], embeddings: Embeddings) -> Matrix:
    """One normalised row for each passage: its text, moved half-way to the questions that it answers."""
    texts = normalised(embeddings.embed_documents([in_context(passage) for passage in passages]))
    for row, passage in enumerate(passages):
        if passage.asks:
            asks = normalised([embeddings.embed_query(ask) for ask in passage.asks])
            texts[row] += asks.mean(axis=0)
    return normalised(texts)


def document_of(passage: Passage) -> Document:
    """A passage as LangChain knows it."""
    fields = asdict(passage)
    return Document(id=fields.pop("id"), page_content=fields.pop("text"), metadata=fields)


def passage_of(document: Document) -> Passage:
    """The passage that `document_of` was given."""
    return Passage(id=str(document.id), text=document.page_content, **document.metadata)


_NO_TEXT = Bilingual(en="It holds no text.", zh="文件里没有文字。")
_TOO_MANY_PASSAGES = Bilingual(
    en=f"It would make more than {MAX_PASSAGES:,} passages. Split it, or add only what matters.",
    zh=f"它会产生超过 {MAX_PASSAGES:,} 个段落。请拆分文件，或只添加需要的部分。",
)
_OUTSIDE = Bilingual(
    en="It is a link that leads out of the folder, outside reach. Add what it points to by its own path.",
    zh="这是指向该文件夹之外的链接，不会跟随。请用目标自己的路径添加。",
)


def _unknown_kind(path: Path) -> Bilingual:
    kinds = ", ".join(PARSERS)
    return Bilingual(
        en=f"I cannot read files that end in {path.suffix or path.name!r}: only {kinds}.",
        zh=f"无法读取扩展名为 {path.suffix or path.name!r} 的文件，目前只支持 {kinds}。",
    )


def _not_there(path: Path) -> Bilingual:
    if path.exists():
        return Bilingual(en="It is not an ordinary file.", zh="它不是普通文件。")
    return Bilingual(en="There is nothing at this path. Check it.", zh="路径不存在，请检查。")


def _too_big(size_mb: float) -> Bilingual:
    return Bilingual(
        en=f"It has {size_mb:.0f} MB and the limit is {MAX_FILE_MB} MB. Split it, or add only what matters.",
        zh=f"文件大小为 {size_mb:.0f} MB，上限是 {MAX_FILE_MB} MB。请拆分文件，或只添加需要的部分。",
    )


def _unreadable(error: OSError) -> Bilingual:
    reason = error.strerror or type(error).__name__
    return Bilingual(
        en=f"It cannot be read ({reason}). Check its permissions and add it again.",
        zh=f"无法读取（{reason}）。请检查权限后重新添加。",
    )


def build_vectors() -> int:
    """Embed our articles and the gate's probes, as far as they changed, into the file that travels with them."""
    embeddings, model_id = default_embeddings()
    cache = VectorCache.load(SHIPPED_VECTORS, model_id)
    articles = {wording(passage): passage for passage in shipped_passages()}
    cache.keep_only(list(articles), PROBES)
    missing = [text for text in articles if text not in cache]
    for done, text in enumerate(missing):
        logger.info("%d of %d passages embedded", done, len(missing))
        cache.put([text], embedded([articles[text]], embeddings))
    cache.queries(PROBES, embeddings)
    cache.save(SHIPPED_VECTORS)
    return len(articles)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command of whoever edits the articles."""
    parser = argparse.ArgumentParser(prog="python -m index.ingest", description=__doc__)
    parser.add_argument(
        "--build-vectors", action="store_true", required=True, help=f"write {SHIPPED_VECTORS}"
    )
    parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logger.info("%s holds the vectors of %d passages", SHIPPED_VECTORS, build_vectors())


if __name__ == "__main__":
    main()
