"""Turn plain text into one section: it has no headings, so its lines say where."""

from __future__ import annotations

from index.parsers.cut import Ruler
from index.parsers.encoding import decoded
from index.parsers.parsed import Parsed, Section


def text(data: bytes, stem: str) -> Parsed:
    """The text under the name of its file."""
    return parsed_text(decoded(data), stem)


def parsed_text(whole: str, stem: str) -> Parsed:
    """The text without the empty lines around it."""
    kept = whole.rstrip()
    start = len(kept) - len(kept.lstrip("\n"))
    place = Ruler(kept, "line").place(start, len(kept))
    return Parsed(title=stem, sections=(Section(text=kept[start:], place=place),))
