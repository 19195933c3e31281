"""Turn sections of any length into pieces that are small enough to quote; each still says where it stands.

Rows of a table, one section each, are put together as far as they fit. What is too long is cut by LangChain's
splitter; a piece of a text without headings then gets the lines or paragraphs that are its own.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from index.parsers.parsed import Place, Section, Unit
from index.words import HAN

MAX_PASSAGES = 30_000
"""Of one file: more than 20 MB of prose makes."""
MAX_PASSAGE_TOKENS = 320
_OVERLAP_TOKENS = 40
_MAX_OVERLAP_CHARACTERS = 3 * _OVERLAP_TOKENS + 2
_MAX_WINDOW_CHARACTERS = 100_000
_SEPARATORS = ["\n\n", "\n", "。", "！", "？", ". ", "! ", "? ", "；", "; ", "，", ", ", " ", ""]

_HAN_CHARACTER = re.compile(f"[{HAN}]")
_BETWEEN: dict[Unit, re.Pattern[str]] = {
    "line": re.compile(r"\n"),
    "paragraph": re.compile(r"\n[ \t]*\n\s*"),
}


def quotable(sections: Sequence[Section]) -> Iterator[Section]:
    """The sections that hold text, none of them too long."""
    for section in _with_rows_together(s for s in sections if s.text.strip()):
        if estimated_tokens(section.text) <= MAX_PASSAGE_TOKENS:
            yield section
        else:
            yield from _cut(section)


def estimated_tokens(text: str) -> int:
    """About as many tokens as the embedding model makes of it, without asking it."""
    han = len(_HAN_CHARACTER.findall(text))
    return (2 * han + (len(text) - han) + 2) // 3


class Ruler:
    """Says which lines or paragraphs of a text hold a range of its characters."""

    def __init__(self, text: str, unit: Unit, base: int = 1) -> None:
        self._unit = unit
        self._base = base
        self._beginnings = [match.end() for match in _BETWEEN[unit].finditer(text)]

    def place(self, start: int, end: int) -> Place:
        """Where the characters from `start` up to `end` are."""
        first = bisect_right(self._beginnings, start)
        last = bisect_right(self._beginnings, max(start, end - 1))
        return Place(unit=self._unit, first=self._base + first, last=self._base + last)


def _with_rows_together(sections: Iterator[Section]) -> Iterator[Section]:
    """The same sections, neighbouring rows joined while they fit into one piece."""
    held: Section | None = None
    for section in sections:
        joined = _joined(held, section) if held else section
        if joined is None and held is not None:
            yield held
        held = joined or section
    if held is not None:
        yield held


def _joined(one: Section, other: Section) -> Section | None:
    if not (_is_row(one) and _is_row(other)) or one.headings != other.headings:
        return None
    text = f"{one.text}\n\n{other.text}"
    if one.place is None or other.place is None or estimated_tokens(text) > MAX_PASSAGE_TOKENS:
        return None
    return replace(one, text=text, place=replace(one.place, last=other.place.last))


def _is_row(section: Section) -> bool:
    return section.place is not None and section.place.unit == "row"


def _cut(section: Section) -> Iterator[Section]:
    place = section.place
    if place is None or place.unit not in _BETWEEN:
        yield from (replace(section, text=piece) for piece in _pieces(section.text))
        return
    ruler, end = Ruler(section.text, place.unit, place.first), 0
    for piece in _pieces(section.text):
        start = max(0, section.text.find(piece, max(0, end - _MAX_OVERLAP_CHARACTERS)))
        end = start + len(piece)
        yield replace(section, text=piece, place=ruler.place(start, end))


def _pieces(text: str) -> Iterator[str]:
    from langchain_text_splitters import RecursiveCharacterTextSplitter  # noqa: PLC0415 - takes 0.2 s

    splitter = RecursiveCharacterTextSplitter(
        separators=_SEPARATORS,
        keep_separator="end",
        chunk_size=MAX_PASSAGE_TOKENS,
        chunk_overlap=_OVERLAP_TOKENS,
        length_function=estimated_tokens,
    )
    for window in _windows(text):
        yield from splitter.split_text(window)


def _windows(text: str) -> Iterator[str]:
    """Parts of a very long text: the splitter may take a hundred bytes of memory for each character."""
    start = 0
    while len(text) - start > _MAX_WINDOW_CHARACTERS:
        end = start + _MAX_WINDOW_CHARACTERS
        end = text.rfind("\n", start + _MAX_WINDOW_CHARACTERS // 2, end) + 1 or end
        yield text[start:end]
        start = end
    yield text[start:]
