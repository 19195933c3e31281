"""What every parser makes of a file: a title, and sections that know where in the file they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from index.bilingual import Bilingual, Language

Unit = Literal["line", "paragraph", "page", "row", "cell"]

_ZH_UNIT: dict[Unit, str] = {"line": "行", "paragraph": "段", "page": "页", "row": "行", "cell": "个单元格"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A range that a person can count to, from 1. A row is one of a spreadsheet, whose header is row 1."""

    unit: Unit
    first: int
    last: int

    def to(self, language: Language) -> str:
        """`lines 3–8`, `第 3–8 行`; a single one is `line 3`, `第 3 行`."""
        numbers = str(self.first) if self.first == self.last else f"{self.first}–{self.last}"
        if language == "zh":
            return f"第 {numbers} {_ZH_UNIT[self.unit]}"
        return f"{self.unit}{'' if self.first == self.last else 's'} {numbers}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a document, of any length."""

    text: str
    headings: str = ""
    """`Heading › Subheading`; empty where there is none above."""
    place: Place | None = None

    def locator(self, language: Language) -> str:
        """Headings and place, as far as they are known."""
        place = self.place.to(language) if self.place else ""
        return " › ".join(filter(None, (self.headings, place)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A document before it is cut into passages."""

    title: str
    sections: tuple[Section, ...]
    topic: str | None = None
    language: Language | None = None
    """As the document says; None where that is left to detection."""
    url: str | None = None
    note: Bilingual | None = None
    """What a person should know who added it: that only a part could be read."""


def printable(text: str) -> str:
    """The text without what no file or terminal can hold: half characters and control characters."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return whole.translate(_CONTROL)


_CONTROL = {code: " " for code in range(32) if chr(code) not in "\n\t"}


def fenced(code: str, language: str = "") -> str:
    """Code as a Markdown block; the fence is longer than any inside."""
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}{language}\n{code}\n{fence}"
