"""Text in English or Chinese -> the same text with what it speaks of written one way, from the glossary.

A Chinese sentence can so be compared with an English source, and a paraphrase with the words of the evidence.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

_PREFIX = "concept"
_NOT_A_SUBJECT = frozenset({"estimated"})
KINDS = frozenset({"vendor", "published", "measured", "estimated"})
"""Where a figure comes from."""


def _pattern(alternatives: str) -> str:
    """Each way to say it; one in Latin letters only as a whole word."""
    parts = _parts(alternatives)
    latin = [part for part in parts if part.isascii() and part[0].isalpha()]
    other = [part for part in parts if part not in latin]
    return "|".join([*other, *([rf"(?<![a-z])(?:{'|'.join(latin)})(?![a-z])"] if latin else [])])


def _parts(alternatives: str) -> list[str]:
    """Split at the bars outside of brackets, the longest first."""
    return sorted(re.split(r"\|(?![^(]*\))", alternatives), key=len, reverse=True)


_GLOSSARY: dict[str, str] = yaml.safe_load(
    Path(__file__).with_name("concepts.yaml").read_text(encoding="utf-8")
)
_ANY = re.compile(
    "|".join(f"(?P<{name}>{_pattern(words)})" for name, words in _GLOSSARY.items()),
    re.IGNORECASE | re.ASCII,
)


def concepts(text: str) -> frozenset[str]:
    """The concepts that a text names."""
    return frozenset(str(match.lastgroup) for match in _ANY.finditer(text))


def unified(text: str) -> str:
    """The text with each concept written one way."""
    return _ANY.sub(lambda m: " " if m.lastgroup in _NOT_A_SUBJECT else f" {_PREFIX}{m.lastgroup} ", text)
