"""Take model names apart: "Llama-3.1-8B-Instruct" -> head llama, version 3.1, size 8b, variant instruct."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from skills.conversation.parse.lexicon import load, words

SEPARATORS = frozenset("-_:.")
INSTRUCT = frozenset({"instruct", "chat", "it"})


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a name, with its place in the text it was cut from.

    `kind` is word, version, size, active (parameters per token), code (r1, 4o), date or mark.
    """

    kind: str
    text: str
    start: int
    end: int
    joined: bool
    """No space before it."""


@dataclass(frozen=True, slots=True)
class Name:
    """One catalogue id, taken apart."""

    id: str
    heads: tuple[str, ...]
    """Family words in it; the first is its own family."""
    versions: tuple[str, ...]
    size: str | None
    words: frozenset[str]
    """All that makes it this model: its heads, flash, coder, a3b, r1. Not instruct, chat, preview and the like."""
    dates: tuple[str, ...]
    is_instruct: bool

    @property
    def order(self) -> tuple[float, tuple[str, ...]]:
        """Later releases of a family sort higher."""
        return (max((float(version) for version in self.versions), default=0.0), self.dates)


def name_of(model_id: str) -> Name:
    """Take a catalogue id apart."""
    parts = [part for part in cut(model_id.rsplit("/", 1)[-1].lower()) if part.kind != "mark"]
    heads = _heads(parts)
    said = frozenset(part.text for part in parts if part.kind in ("word", "code", "active"))
    return Name(
        id=model_id,
        heads=heads,
        versions=tuple(part.text for part in parts if part.kind == "version"),
        size=next((part.text for part in parts if part.kind == "size"), None),
        words=said - words("models", "neutral"),
        dates=tuple(part.text for part in parts if part.kind == "date"),
        is_instruct=not said.isdisjoint(INSTRUCT),
    )


def size_in_name(model_id: str) -> float | None:
    """Billions of parameters, as far as the id says: 8.0 for Qwen/Qwen3-8B."""
    size = name_of(model_id).size
    if size is None or "x" in size:
        return None
    return float(size[:-1]) * {"b": 1.0, "m": 0.001, "t": 1000.0}[size[-1]]


def _heads(parts: Sequence[Part]) -> tuple[str, ...]:
    known = [part.text for part in parts if part.text in family_words()]
    named = [part.text for part in parts if part.kind in ("word", "code")]
    first = next((text for text in named if text not in words("models", "prefixes")), parts[0].text)
    return tuple(dict.fromkeys(known if known and known[0] in named[:2] else [first, *known]))


def cut(folded: str) -> tuple[Part, ...]:
    """Cut lower-case text into parts; other spellings of family words become the usual one."""
    return tuple(_joined_versions(_raw_parts(folded)))


def _raw_parts(folded: str) -> Iterator[Part]:
    end = -1
    for match in _pattern().finditer(folded):
        kind = str(match.lastgroup)
        text = match.group().replace(" ", "") if kind == "size" else match.group()
        if kind == "head":
            kind, text = "word", _spelling(text)
        if kind in ("version", "size"):
            text = text.replace("_", ".")
        yield Part(kind, text, match.start(), match.end(), match.start() == end)
        end = match.end()


def _joined_versions(parts: Iterator[Part]) -> Iterator[Part]:
    """claude-3-5-haiku is version 3.5: a digit, a hyphen and a digit without spaces."""
    held: list[Part] = []
    for part in parts:
        held.append(part)
        if len(held) == 3 and _is_split_version(held):
            held = [replace(held[0], text=f"{held[0].text}.{part.text}", end=part.end)]
        if len(held) == 3:
            yield held.pop(0)
    yield from held


def _is_split_version(parts: Sequence[Part]) -> bool:
    major, mark, minor = parts
    digits = major.kind == minor.kind == "version" and len(major.text) == len(minor.text) == 1
    return digits and mark.text == "-" and mark.joined and minor.joined


@lru_cache
def _pattern() -> re.Pattern[str]:
    spellings = sorted(_spellings(), key=len, reverse=True)
    heads = "|".join(re.escape(spelling).replace(r"\ ", "[- ]?") for spelling in spellings)
    return re.compile(
        rf"(?P<head>(?<![a-z])(?:{heads})(?![a-z]))"
        r"|(?P<date>\d{4}-\d{2}-\d{2}(?!\d)|(?<![\d.])\d{4,8}(?![\d.a-z]))"
        r"|(?P<size>\d+x\d+b(?![a-z0-9])|\d+(?:[._]\d+)?\s?[bmt](?![a-z0-9]))"
        r"|(?P<active>(?<![a-z0-9])[ae]\d+(?:\.\d+)?b(?![a-z0-9]))"
        r"|(?P<code>(?<![a-z0-9])[a-uw-z]\d+(?:\.\d+)?[a-z]?(?![a-z0-9])|\d+[a-z](?![a-z0-9]))"
        r"|(?P<version>\d+(?:[._]\d{1,2}(?!\d))?)"
        r"|(?P<word>[a-z]+|[\u3400-\u9fff])"
        r"|(?P<mark>\S)"
    )


@lru_cache
def _spellings() -> dict[str, str]:
    """Every spelling that is not one Latin word, to the head that it means."""
    content = load("models")
    found = {str(spelling): str(head) for spelling, head in content["spellings"].items()}
    for listed in content["families"].values():
        found |= {alias: listed[0] for alias in listed if not alias.isascii()}
    return found | {alias: alias for alias in content["elsewhere"] if not alias.isascii()}


def _spelling(text: str) -> str:
    compact = text.replace(" ", "").replace("-", "")
    return {key.replace(" ", ""): head for key, head in _spellings().items()}[compact]


@lru_cache
def family_words() -> dict[str, str]:
    """Head word to the family's name for display."""
    families = load("models")["families"].items()
    return {alias: str(name) for name, listed in families for alias in listed if alias.isascii()}
