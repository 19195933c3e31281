"""Worded text -> its sentences, in English and Chinese, a stream as it comes. List items and table rows stay whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_END = re.compile(
    r"(?<=[。！？；])(?:[”’」』）\"]*(?:\s*\[\d+\])*)"
    r"|(?<=[.!?])(?:[\"')\]*_]*(?:\s*\[\d+\])*)(?=\s)"
)
_ABBREVIATIONS = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|approx|ca|cf|no|fig|incl|resp)|^\s*\d{1,2})\.$", re.IGNORECASE
)
_WHOLE = re.compile(r"^\s*(?:[|#>]|[-*•]\s|\d{1,2}[.)、]\s)")
_MARKS_AHEAD = re.compile(r"\s*\[\d*\]?")


def sentences(text: str) -> list[str]:
    """The sentences of a whole text, each with the white space that follows it."""
    return list(cut(iter([text])))


def cut(chunks: Iterable[str]) -> Iterator[str]:
    """Sentences as soon as they are complete. Joined they are the text."""
    pending = ""
    for chunk in chunks:
        pending += chunk
        while (at := _first_end(pending)) is not None:
            yield pending[:at]
            pending = pending[at:]
    yield from _rest(pending)


def _first_end(text: str) -> int | None:
    """Where the first sentence ends, when what follows it has come too: a mark [1] belongs to the sentence before it."""
    line_end = text.find("\n")
    if _WHOLE.match(text):
        return None if line_end < 0 else _after_blank(text, line_end)
    for match in _END.finditer(text):
        if 0 <= line_end < match.start():
            break
        if _ABBREVIATIONS.search(text[: match.start()]) and text[match.start() - 1] == ".":
            continue
        end = _after_blank(text, match.end())
        if end is not None and not _MARKS_AHEAD.fullmatch(text[end:]) and text[end : end + 1]:
            return end
        return None
    return None if line_end < 0 else _after_blank(text, line_end)


def _after_blank(text: str, at: int) -> int | None:
    end = len(text) - len(text[at:].lstrip())
    return None if end >= len(text) else end


def _rest(text: str) -> Iterator[str]:
    """What is left at the end of the stream."""
    while text:
        at = _first_end(text + "\n\0")
        if at is None or at >= len(text):
            yield text
            return
        yield text[:at]
        text = text[at:]
