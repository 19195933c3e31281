"""Turn raw message text into normalised tokens and the language it is written in.

Full-width forms, traditional characters, control characters and pasted code are dealt with here, once,
so that no other parser has to know about them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import opencc

from index.bilingual import Language
from skills.conversation.parse.lexicon import load, words

MAX_CHARS = 4000
"""A request is never longer; what comes after is not read, so that no text can be slow."""

_TOKEN = re.compile(
    r"(?<=\d)x(?=[a-z]{0,3}\d)|[a-zà-öø-ÿ]+n't|[a-zà-öø-ÿ]+|\d+(?:,\d{3}(?!\d))+(?:\.\d+)?"
    r"|\d+(?:\.\d+)?e\+?\d{1,2}(?![\w.-])|\d+(?:\.\d+)?|[\u3400-\u9fff]|\S"
)
_MENTION = re.compile(r"<[@#!][^>\s]{0,80}>")
_FOREIGN = re.compile(r"[\u0370-\u1fff\u3040-\u30ff\uac00-\ud7af]")
"""Scripts of neither language: Greek to Georgian and beyond, kana, hangul."""
_LIST_NUMBERS = dict.fromkeys((*range(0x2460, 0x249C), *range(0x2776, 0x2794)), ";")
"""① and (2) as one character: read as digits they would run into the number that follows."""
_MARKS = str.maketrans(
    _LIST_NUMBERS | {ord(k): v for k, v in {"，": "；", "’": "'", "–": "-", "−": "-", "〜": "~"}.items()}
)
_KANA = re.compile(r"[\u3040-\u30ff]")


@dataclass(frozen=True, slots=True)
class Token:
    """One word, number, Chinese character or mark."""

    text: str
    start: int
    end: int
    joined: bool
    """No space before it."""

    @property
    def is_number(self) -> bool:
        """True for Arabic digits."""
        return self.text[0].isdigit() and self.text[0].isascii()

    @property
    def is_word(self) -> bool:
        """True for Latin letters."""
        return self.text[0].isalpha() and ord(self.text[0]) < 0x250

    @property
    def is_han(self) -> bool:
        """True for a Chinese character."""
        return "\u3400" <= self.text[0] <= "\u9fff"


@dataclass(frozen=True, slots=True)
class Text:
    """A message ready to be parsed. `folded` has the same length as `cased`."""

    cased: str
    folded: str
    tokens: tuple[Token, ...]
    language: Language

    @property
    def is_blank(self) -> bool:
        """True when there is not one letter or digit."""
        return not any(c.isalnum() for c in self.folded)

    @property
    def is_foreign(self) -> bool:
        """True when it is written in neither English nor Chinese, as far as letters and small words show."""
        letters = sum(char.isalpha() for char in self.folded)
        kana = len(_KANA.findall(self.folded))
        foreign = len(_FOREIGN.findall(self.folded))
        small_words = sum(token.text in words("text", "foreign_words") for token in self.tokens)
        return foreign * 2 > letters or kana * 4 > letters > 0 or small_words >= 2


def read(raw: str) -> Text:
    """Normalise a message and cut it into tokens."""
    cased = _normalise(raw)
    folded = _fold(cased)
    tokens = tokenize(folded)
    return Text(cased, folded, tokens, _language(tokens, folded))


def tokenize(folded: str) -> tuple[Token, ...]:
    """Cut normalised lower-case text into tokens."""
    found = []
    previous_end = -1
    for match in _TOKEN.finditer(folded):
        found.append(Token(match.group(), match.start(), match.end(), match.start() == previous_end))
        previous_end = match.end()
    return tuple(found)


def _normalise(raw: str) -> str:
    prose = " ".join(raw[:MAX_CHARS].split("```")[::2])
    prose = _MENTION.sub(" ", prose).translate(_MARKS)
    return "".join(_plain(c) for c in unicodedata.normalize("NFKC", prose))[:MAX_CHARS]


def _plain(char: str) -> str:
    if char.isascii() and char.isprintable():
        return char
    category = unicodedata.category(char)
    if category in ("Cf", "Cs", "Mn"):
        return ""
    return " " if category.startswith(("C", "Z")) else char


def _fold(cased: str) -> str:
    lowered = cased.lower()
    if len(lowered) != len(cased):
        lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in cased)
    lowered = _simplified(lowered)
    for said, meant in _cantonese():
        lowered = lowered.replace(said, meant)
    lowered = lowered.translate(_variants())
    for wrong, right in _typing_slips():
        lowered = lowered.replace(wrong, right)
    return lowered


def _simplified(text: str) -> str:
    """The text in simplified characters, one for one, so that offsets stay true."""
    if text.isascii():
        return text
    converted = _converter().convert(text)
    return (
        converted if len(converted) == len(text) else "".join(_converter().convert(c)[:1] or c for c in text)
    )


@lru_cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


@lru_cache
def _variants() -> dict[int, str]:
    return {ord(pair[0]): pair[1] for pair in str(load("text")["traditional"]).split()}


@lru_cache
def _cantonese() -> tuple[tuple[str, str], ...]:
    """Pairs of equal length as well."""
    return tuple((str(said), str(meant)) for said, meant in load("text")["cantonese"].items())


@lru_cache
def _typing_slips() -> tuple[tuple[str, str], ...]:
    """Pairs of equal length, so that offsets stay true."""
    return tuple((str(wrong), str(right)) for wrong, right in load("spelling")["chinese"].items())


def _language(tokens: tuple[Token, ...], folded: str) -> Language:
    """Chinese when its characters outweigh the English words: a word counts as two characters."""
    han = sum(token.is_han for token in tokens)
    if not han or len(_KANA.findall(folded)) > han / 4:
        return "en"
    neutral = words("text", "neutral_words")
    english = sum(token.is_word and len(token.text) > 1 and token.text not in neutral for token in tokens)
    return "zh" if han >= 2 * english else "en"
