"""Find lexicon phrases in a text: tokens -> matches with a category, a value and a place.

All lexicons share one trie, so a turn is read once however many phrases are known. In a phrase, `summari*`
stands for every word that begins so. Filler words inside a phrase are passed over, and a match that lies
inside a longer one is dropped: "third" in "third party", the negation in "nothing may leave".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product
from typing import Any

from skills.conversation.parse.lexicon import load, words
from skills.conversation.parse.text import Token

PHRASE_LEXICONS = (
    "accelerators",
    "domain",
    "intents",
    "kinds",
    "languages",
    "licences",
    "makers",
    "models",
    "preferences",
    "references",
    "relative",
    "tasks",
    "terms",
    "units",
)
_END = ""
_PHRASE_TOKEN = re.compile(r"(\s*)([a-zà-öø-ÿ]+n't|[a-zà-öø-ÿ]+\*?|\d+(?:\.\d+)?|[\u3400-\u9fff]|\S)")
_MIN_PREFIX = 3
_MIN_STEM = 5
"""A shorter stem, as of "cod*", says too little to take "codin" for a word that is spelt right."""
_MAX_FILLERS = 3
_KEPT_INSIDE = frozenset(
    {"model_noun", "pronoun", "job_number_lead", "latency_word", "context_word", "limit_word", "budget_word"}
    | {"job_action", "traffic", "whole_budget"}
)
"""An "open model" says how it is hosted and is still a model; a "latency limit" is one of latency."""


_TALK = frozenset({"domain", "chore"})
_WISHES = frozenset({"task", "thinking", "architecture", "quantization", "modality", "licence", "gpu"})


@dataclass(frozen=True, slots=True)
class Match:
    """A known phrase in a text, by token positions (half-open)."""

    category: str
    value: str
    start: int
    end: int

    def covers(self, position: int) -> bool:
        """True when the token at `position` belongs to it."""
        return self.start <= position < self.end


class Node(dict[str, "Node"]):
    """One step in the trie; `ends` holds what is known by the phrase that ends here."""

    __slots__ = ("ends",)

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[tuple[str, str]] = []


class Phrasebook:
    """Every phrase of the lexicons, ready to be looked for."""

    def __init__(self, entries: Iterable[tuple[str, str, str]]) -> None:
        """Take (category, value, phrase)."""
        self._root = Node()
        self._prefixes: set[str] = set()
        self.vocabulary: set[str] = set()
        self._fillers = words("text", "fillers")
        for category, value, phrase in entries:
            self._add(category, value, phrase)

    def find(self, tokens: Sequence[Token]) -> list[Match]:
        """Every match that no longer one contains, from left to right."""
        found = [match for start in range(len(tokens)) for match in self._longest_at(tokens, start)]
        return list(_outermost(found))

    def knows(self, word: str) -> bool:
        """True when some phrase holds this word, or a prefix of it."""
        known_stems = (key for key in _prefix_keys(word) if len(key) > _MIN_STEM)
        return word in self.vocabulary or any(key in self._prefixes for key in known_stems)

    def _add(self, category: str, value: str, phrase: str) -> None:
        node = self._root
        previous = " "
        for gap, token in _PHRASE_TOKEN.findall(phrase):
            joined = not gap and _is_ascii_alnum(previous) and _is_ascii_alnum(token)
            node = node.setdefault("+" + token if joined else token, Node())
            previous = token
            self.vocabulary.add(token)
            if token.endswith("*"):
                self._prefixes.add(token)
        node.ends.append((category, value))

    def _longest_at(self, tokens: Sequence[Token], start: int) -> Iterator[Match]:
        longest: dict[tuple[str, str], int] = {}
        paths = [(self._root, start, 0)]
        while paths:
            node, at, fillers = paths.pop()
            if at == len(tokens):
                continue
            for child in self._children(node, tokens[at]):
                paths.append((child, at + 1, fillers))
                longest.update({end: at + 1 for end in child.ends if longest.get(end, 0) <= at})
            if node is not self._root and fillers < _MAX_FILLERS and tokens[at].text in self._fillers:
                paths.append((node, at + 1, fillers + 1))
        for (category, value), end_at in longest.items():
            yield Match(category, value, start, end_at)

    def _children(self, node: Node, token: Token) -> Iterator[Node]:
        return (node[key] for key in self._keys(token) if key in node)

    def _keys(self, token: Token) -> Iterator[str]:
        yield token.text
        if token.joined:
            yield "+" + token.text
        if token.is_word and len(token.text) >= _MIN_PREFIX:
            for key in _prefix_keys(token.text):
                if key in self._prefixes:
                    yield key


@lru_cache
def phrasebook() -> Phrasebook:
    """The phrasebook of all lexicon files."""
    return Phrasebook(entry for name in PHRASE_LEXICONS for entry in _entries(load(name)))


@lru_cache
def phrasebook_of(name: str) -> Phrasebook:
    """A phrasebook of one lexicon by itself, for words that must not hide those of the others."""
    return Phrasebook(_entries(load(name)))


def _entries(content: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Phrases are under `phrases: {category: {value: [phrase, ...]}}`, accelerators in a list of their own."""
    for accelerator in content.get("accelerators", ()):
        aliases = dict.fromkeys([*accelerator["aliases"], accelerator["name"].lower()])
        yield from (("gpu", accelerator["name"], alias) for alias in _with_plurals(aliases))
    yield from _combined(content)
    for category, values in content.get("phrases", {}).items():
        for value, listed in values.items():
            for phrase in listed:
                if not isinstance(phrase, str):
                    raise TypeError(f"{phrase!r} in {category}.{value} of the lexicon needs quotes")
                yield category, str(value), phrase


def _combined(content: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Phrases made of parts: pairs of languages by one character each, and one part from each list of a row."""
    for (a, source), (b, target) in permutations(content.get("one_char_names", {}).items(), 2):
        for pattern in content["pairs"]:
            phrase = pattern.format(a=a, b=b)
            yield from (("language", source, phrase), ("language", target, phrase))
            if "译" in phrase or "翻" in phrase:
                yield "task", "translation", phrase
    for row in content.get("crossed", ()):
        for parts in product(*row["parts"]):
            yield row["category"], row["value"], " ".join(parts)


def _with_plurals(aliases: Iterable[str]) -> Iterator[str]:
    """ "DGX Sparks": a name that ends in a word has a plural; one in digits is cut before its "s" anyway."""
    for alias in aliases:
        yield alias
        if alias.isascii() and alias.rpartition(" ")[2].isalpha():
            yield alias + "s"


def _outermost(matches: Iterable[Match]) -> Iterator[Match]:
    """Matches that no longer one hides. A term of the trade or a chore hides words of the grammar, and no wish."""
    furthest = {True: 0, False: 0}
    spans = {True: (0, 0), False: (0, 0)}
    for match in sorted(matches, key=lambda m: (m.start, -m.end)):
        is_wish = match.category in _WISHES
        is_outermost = match.end > furthest[is_wish] or (match.start, match.end) == spans[is_wish]
        if is_outermost or match.category in _KEPT_INSIDE:
            yield match
        for kind in (True, False) if match.category not in _TALK else (False,):
            if match.end > furthest[kind]:
                furthest[kind], spans[kind] = match.end, (match.start, match.end)


@lru_cache(maxsize=4096)
def _prefix_keys(word: str) -> tuple[str, ...]:
    return tuple(word[:length] + "*" for length in range(_MIN_PREFIX, len(word) + 1))


def _is_ascii_alnum(token: str) -> bool:
    return token[0].isascii() and token[0].isalnum()
