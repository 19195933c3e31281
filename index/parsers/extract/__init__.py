"""Turn PDF, DOCX and HTML into text, in a process of its own (`index.parsers.child` starts it).

This file is what the two processes say to each other: a line of JSON with the bytes after it, and a line back.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from index.parsers.parsed import printable

Kind = Literal["docx", "html", "pdf"]
"""Also the name of the module in this package that reads it."""

OUT_OF_MEMORY = 12
"""The exit code."""


class Question(BaseModel):
    """What to read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    size: int
    """Bytes of the file, which follow."""
    max_time_s: float


class Found(BaseModel):
    """What there is to read in a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    texts: tuple[str, ...]
    """Of a PDF, its pages; else one text in Markdown."""
    title: str | None = None
    url: str | None = None

    def printable(self) -> Found:
        """The same without characters that cannot be sent or shown."""
        texts = tuple(printable(text) for text in self.texts)
        return Found(texts=texts, title=_one_line(self.title), url=_one_line(self.url))


class Answer(BaseModel):
    """What was found, or why nothing could be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    found: Found | None = None
    problem_en: str = ""
    problem_zh: str = ""


def _one_line(text: str | None) -> str | None:
    return " ".join(printable(text).split()) or None if text else None
