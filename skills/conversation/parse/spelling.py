"""Mend typing slips in the words that carry meaning here: "lisence" -> "licence", "quantizaton" -> "quantization".

Only towards a short list of words, and never from a word that is known or ordinary: a wrong repair is worse
than none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from skills.conversation.parse.lexicon import load, words
from skills.conversation.parse.text import Token

_MIN_LETTERS = 5
_TWO_SLIPS_FROM = 9
_LONGEST_WORD = 24


def mend(tokens: tuple[Token, ...], is_known: Callable[[str], bool]) -> tuple[Token, ...]:
    """The same tokens, misspelt domain words set right."""
    return tuple(
        replace(token, text=_mended(token.text)) if _is_suspect(token, is_known) else token
        for token in tokens
    )


def _is_suspect(token: Token, is_known: Callable[[str], bool]) -> bool:
    long_enough = _MIN_LETTERS <= len(token.text) <= _LONGEST_WORD
    return token.is_word and long_enough and not is_known(token.text)


@lru_cache(maxsize=4096)
def _mended(word: str) -> str:
    if word in words("spelling", "ordinary"):
        return word
    best = process.extractOne(word, _targets(), scorer=OSA.distance, score_cutoff=_slips_allowed(word))
    return best[0] if best and best[0][0] == word[0] else word


def _slips_allowed(word: str) -> int:
    return 2 if len(word) >= _TWO_SLIPS_FROM else 1


@lru_cache
def _targets() -> list[str]:
    return [str(word) for word in load("spelling")["targets"]]
