"""Turn rows of named values into sections, one for each row, as lines of `column: value`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from index.bilingual import Bilingual
from index.parsers.parsed import Parsed, Place, Section, printable

MAX_ROWS = 10_000
"""Of one file: enough for a list of products or questions; a log of a year is not a document."""

Fields = Iterable[tuple[str, str]]


def row_section(number: int | None, fields: Fields, headings: str = "") -> Section:
    """One row, or values that are found by their heading alone. Empty cells are left out."""
    lines = "\n".join(f"{name}: {value.strip()}" for name, value in fields if value.strip())
    place = Place(unit="row", first=number, last=number) if number else None
    return Section(text=printable(lines), headings=printable(headings), place=place)


def table(title: str, sections: Iterable[Section]) -> Parsed:
    """The first rows, as many as are allowed, with a note when there are more."""
    rows = tuple(islice((section for section in sections if section.text), MAX_ROWS + 1))
    return Parsed(title=title, sections=rows[:MAX_ROWS], note=_TOO_MANY if len(rows) > MAX_ROWS else None)


_TOO_MANY = Bilingual(
    en=f"Only its first {MAX_ROWS:,} rows were added. Split it to add the rest.",
    zh=f"只添加了前 {MAX_ROWS:,} 行。如需其余部分，请拆分文件。",
)
