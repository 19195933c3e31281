"""Turn mistyped English words of a question into words that our articles use.

Only what is no English word, and no word of any passage, is mended: "moon" stays, though "soon" is near.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

if TYPE_CHECKING:
    from spellchecker import SpellChecker

_WORD = re.compile(r"(?<![\w.@/-])[a-z]{4,}(?![\w.@/-])")
"""In small letters only: a name or an abbreviation is what it is."""

_LONG = 8
_SEEN_ONCE_IS_NO_WORD = 2


def vocabulary_of(texts: Iterable[str]) -> list[str]:
    """The English words that occur more than once, the commonest first."""
    counts = Counter(word for text in texts for word in _WORD.findall(text.lower()))
    return [word for word, times in counts.most_common() if times >= _SEEN_ONCE_IS_NO_WORD]


def corrected(query: str, vocabulary: Sequence[str], is_known: Callable[[str], bool]) -> str:
    """The query with each word that nobody uses replaced by the nearest that is: one slip away, two in a long word."""
    words = set(vocabulary)

    def mended(match: re.Match[str]) -> str:
        word = match.group()
        if word in words or is_known(word) or word in _english():
            return word
        slips = 2 if len(word) >= _LONG else 1
        near = extract(word, vocabulary, scorer=OSA.distance, score_cutoff=slips, limit=1)
        return str(near[0][0]) if near else word

    return _WORD.sub(mended, query)


@lru_cache(maxsize=1)
def _english() -> SpellChecker:
    """160,000 English words, which take 0.2 s to load: only a question with an unknown word waits for them."""
    from spellchecker import SpellChecker  # noqa: PLC0415 - see above

    return SpellChecker(language="en")
