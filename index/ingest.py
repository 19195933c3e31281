"""Turn files into passages: Markdown and text, ours and the team's, cut at their headings.

A heading stays with its text as the passage's locator. Sections that are too long to quote are cut further by
LangChain's splitter.

`python -m index.ingest --build-vectors` embeds our articles again and writes `knowledge/vectors.npz`.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from langchain_core.documents import Document

from index.bilingual import Bilingual, Language
from index.embed import VectorCache, default_embeddings
from index.errors import BadDocument
from index.gate import PROBES
from index.markdown import markdown_sections
from index.records import Passage
from index.words import HAN

logger = logging.getLogger(__name__)

KNOWLEDGE = Path(__file__).parent / "knowledge"
SHIPPED_VECTORS = KNOWLEDGE / "vectors.npz"

MAX_FILE_MB = 20
MAX_PASSAGE_TOKENS = 320
_OVERLAP_TOKENS = 40
_SEPARATORS = ["\n\n", "\n", "。", "！", "？", ". ", "! ", "? ", "；", "; ", "，", ", ", " ", ""]

_LATIN_WORD = re.compile(r"[A-Za-z]+")
_HAN_CHARACTER = re.compile(f"[{HAN}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file that gave no passages, and why."""

    source: str
    reason: Bilingual


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
    passages: int = 0
    """Passages of the added and changed documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedDocument:
    """A readable document: the hash of its bytes, and its passages."""

    source: str
    sha256: str
    passages: tuple[Passage, ...]


def shipped_passages() -> list[Passage]:
    """Our own articles, English first."""
    passages: list[Passage] = []
    for path in sorted(KNOWLEDGE.glob("*/*.md")):
        source = path.relative_to(KNOWLEDGE.parent).as_posix()
        passages.extend(passages_of(path.read_bytes(), source))
    return passages


def load(path: Path, known_sha256: str | None = None) -> LoadedDocument | None:
    """Read and cut one file; None when its bytes are known already. Raises BadDocument with the reason."""
    data = _read(path)
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 == known_sha256:
        return None
    source = source_of(path)
    return LoadedDocument(source=source, sha256=sha256, passages=tuple(passages_of(data, source)))


def source_of(path: Path) -> str:
    """The name under which a file is known. Names that are not UTF-8 become printable."""
    return str(path).encode("utf-8", "replace").decode("utf-8")


def passages_of(data: bytes, source: str) -> list[Passage]:
    """Cut the bytes of a file into passages; the name of `source` says which parser reads them."""
    name = Path(source)
    sections = PARSERS[name.suffix.lower()](data, name.stem)
    whole = "\n".join(section.page_content for section in sections)
    language = detect_language(whole)
    pieces = [piece for section in sections for piece in _short_enough(section)]
    if not pieces:
        raise BadDocument(Bilingual(en="It holds no text.", zh="文件里没有文字。"))
    passages = [_passage(piece, source, language) for piece in pieces]
    return list({passage.id: passage for passage in passages}.values())


def detect_language(text: str) -> Language:
    """Chinese when it has at least as many Chinese characters as words in Latin letters."""
    han = len(_HAN_CHARACTER.findall(text))
    return "zh" if han and han >= len(_LATIN_WORD.findall(text)) else "en"


def files_under(paths: Sequence[Path]) -> tuple[list[Path], list[Skipped]]:
    """The files that the paths name, folders searched to the bottom, and the folders that cannot be read.

    Hidden files and linked folders are left out.
    """
    files: list[Path] = []
    unreadable: list[OSError] = []
    for path in (given.resolve() for given in paths):
        if not is_folder(path):
            files.append(path)
            continue
        for folder, subfolders, names in os.walk(path, onerror=unreadable.append):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            files.extend(Path(folder, name) for name in sorted(names) if not name.startswith("."))
    skipped = [
        Skipped(source=source_of(Path(error.filename)), reason=_unreadable(error)) for error in unreadable
    ]
    return list(dict.fromkeys(files)), skipped


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
        size_mb = path.stat().st_size / 1e6
        if size_mb > MAX_FILE_MB:
            raise BadDocument(_too_big(size_mb))
        return path.read_bytes()
    except OSError as error:
        raise BadDocument(_unreadable(error)) from error


def _markdown(data: bytes, stem: str) -> list[Document]:
    return markdown_sections(_text(data), stem)


def _plain(data: bytes, stem: str) -> list[Document]:
    """A text without headings is one section."""
    return [Document(page_content=_text(data), metadata={"title": stem, "locator": ""})]


PARSERS: dict[str, Callable[[bytes, str], list[Document]]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".txt": _plain,
    ".text": _plain,
}
"""From a file's ending to what turns its bytes, and the stem of its name, into sections."""


def _text(data: bytes) -> str:
    """The text of a file, line ends made equal."""
    if b"\0" in data:
        raise BadDocument(
            Bilingual(
                en="It is binary in spite of its name. Export it as Markdown or text.",
                zh="虽然扩展名是文本，但它是二进制文件。请导出为 Markdown 或纯文本。",
            )
        )
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise BadDocument(
            Bilingual(
                en=f"It is not UTF-8 (byte {error.start}). Save it as UTF-8 and add it again.",
                zh=f"不是 UTF-8 编码（第 {error.start} 字节）。请另存为 UTF-8 后重新添加。",
            )
        ) from error


def _short_enough(section: Document) -> list[Document]:
    if not section.page_content.strip():
        return []
    if estimated_tokens(section.page_content) <= MAX_PASSAGE_TOKENS:
        return [section]
    from langchain_text_splitters import RecursiveCharacterTextSplitter  # noqa: PLC0415 - takes 0.2 s

    splitter = RecursiveCharacterTextSplitter(
        separators=_SEPARATORS,
        keep_separator="end",
        chunk_size=MAX_PASSAGE_TOKENS,
        chunk_overlap=_OVERLAP_TOKENS,
        length_function=estimated_tokens,
    )
    return splitter.split_documents([section])


def estimated_tokens(text: str) -> int:
    """About as many tokens as the embedding model makes of it, without asking it."""
    han = len(_HAN_CHARACTER.findall(text))
    return (2 * han + (len(text) - han) + 2) // 3


def _passage(piece: Document, source: str, detected: Language) -> Passage:
    about = piece.metadata
    locator = str(about["locator"])
    place = "\0".join((source, locator, piece.page_content))
    return Passage(
        id=hashlib.sha256(place.encode()).hexdigest()[:16],
        source=source,
        title=str(about["title"]),
        locator=locator,
        text=piece.page_content,
        language=about.get("language") or detected,
        topic=about.get("topic"),
        url=about.get("url"),
    )


def in_context(passage: Passage) -> str:
    """What is embedded and searched: the text with the title and headings above it."""
    return "\n".join(filter(None, (passage.title, passage.locator, passage.text)))


def document_of(passage: Passage) -> Document:
    """A passage as LangChain knows it."""
    fields = asdict(passage)
    return Document(id=fields.pop("id"), page_content=fields.pop("text"), metadata=fields)


def passage_of(document: Document) -> Passage:
    """The passage that `document_of` was given."""
    return Passage(id=str(document.id), text=document.page_content, **document.metadata)


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
    texts = [in_context(passage) for passage in shipped_passages()]
    cache.keep_only(texts, PROBES)
    cache.passages(
        texts, embeddings, lambda done, total: logger.info("%d of %d passages embedded", done, total)
    )
    cache.queries(PROBES, embeddings)
    cache.save(SHIPPED_VECTORS)
    return len(texts)


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
