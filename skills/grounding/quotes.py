"""Worded sentence -> the sentences of the evidence that say it in nearly these words, and the one to post instead.

What a document claims cannot be checked by arithmetic: "a tokenizer changes a fine-tune" has all the words of a true
sentence. So of documents only what nearly quotes them stands as it was worded: the same words in the same order,
nothing that limits or negates left out. Anything else gives way to the sentence that it paraphrases.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from skills.grounding.concepts import unified
from skills.grounding.evidence import Evidence
from skills.grounding.terms import MARK, content, share, stem, words_of

_TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?|[a-z]+(?:'[a-z]+)?|[\u3400-\u9fff]", re.IGNORECASE | re.ASCII)
_SILENT = words_of("silent")
"""Words that a paraphrase may add or leave out."""
_LIMITS = words_of("limits")
"""Words that change what is claimed: one that the source has there may not be left out."""
_WEAKER = words_of("weaker")
"""Words that a claim may add: with them it says no more than without."""
_CONDITION = re.compile(
    r"\b(?:if|when|unless|except|until|within|provided|assuming|suppose)\b|如果|假如|若|除非|只有|除了|当.{1,12}时",
    re.IGNORECASE | re.ASCII,
)
_CLAUSE = re.compile(
    r"[,;:，；：](?!\d)\s*(?:(?:and|but|yet|while|although|whereas|though)\b|[而但且]|不过|同时|并且|而且)?",
    re.IGNORECASE,
)
_OPENERS = words_of("openers")
"""Words that join what follows to what comes before; a quotation may begin after one."""
_TRAILING = words_of("trailing")
_MOST_LEFT_OUT = 2
"""Words of the source between two words of a quotation."""
_SHORTEST_WORDS = 3
_NEAR = 0.3
"""Share of what a sentence is about that the sentence in its place must be about too."""


def quoted_by(sentence: str, evidence: Evidence) -> frozenset[str]:
    """The sentences of the evidence that say this, or say one each of its clauses; none where a part is not said."""
    plain = MARK.sub("", sentence)
    known = _sources(evidence, frozenset(int(n) for n in MARK.findall(sentence)))
    whole = _nearest(plain, known)
    if whole:
        return whole
    parts = [_nearest(part, known) for part in _CLAUSE.split(plain) if part.strip(" .。!！?？")]
    return frozenset().union(*parts) if all(parts) else frozenset()


def closest(sentence: str, evidence: Evidence) -> str | None:
    """The sentence of the answer that is nearest in what it speaks of; None where nothing is near."""
    about = _about(sentence)
    cited = set(MARK.findall(sentence))
    usable = [u for u in evidence.units if not cited or cited & set(MARK.findall(u)) or not MARK.search(u)]
    best = max(usable, key=lambda unit: _nearness(about, _about(unit)), default=None)
    return best if best and share(about, _about(best)) >= _NEAR else None


def _nearness(about: frozenset[str], theirs: frozenset[str]) -> tuple[float, float]:
    """How much of the one the other has; of equals, the one with the least beside it."""
    return share(about, theirs), share(theirs, about)


def _about(text: str) -> frozenset[str]:
    """The words and the numbers of a sentence."""
    return content(MARK.sub("", text)) | {word for word in _words(text) if word[0].isdigit()}


def _sources(evidence: Evidence, cited: frozenset[int]) -> list[str]:
    """The sentences that may be quoted: those of the sources that are cited, and the answer's own."""
    return [
        fact.sentence
        for fact in evidence.facts
        if not fact.is_asked and not fact.is_computed and (not fact.marks or not cited or fact.marks & cited)
    ]


def _nearest(claim: str, known: Sequence[str]) -> frozenset[str]:
    words = _words(claim)
    return frozenset(text for text in known if _quotes(claim, words, text))


def _quotes(claim: str, words: Sequence[str], text: str) -> bool:
    """All words of the claim stand in the text in this order, and little and nothing that matters between them."""
    theirs = _words(text)
    words = [word for word in words if word not in _WEAKER or word in theirs]
    if len(words) < _SHORTEST_WORDS:
        return False
    if {m.group() for m in _CONDITION.finditer(text)} - {m.group() for m in _CONDITION.finditer(claim)}:
        return False
    starts = [i for i, word in enumerate(theirs) if word == words[0]]
    return any(_runs_along(words, theirs, start) and not _is_limited(theirs[:start]) for start in starts)


def _is_limited(before: Sequence[str]) -> bool:
    """What goes right before the quotation limits it: "cannot", "only", 不."""
    return bool(before) and before[-1] in _LIMITS - _OPENERS


def _runs_along(words: Sequence[str], theirs: Sequence[str], start: int) -> bool:
    at = start
    for word in words[1:]:
        nexts = theirs[at + 1 : at + 2 + _MOST_LEFT_OUT]
        if word not in nexts:
            return False
        left_out = nexts[: nexts.index(word)]
        if _LIMITS & set(left_out):
            return False
        at += 1 + len(left_out)
    return not (set(theirs[at + 1 : at + 2]) & _TRAILING)


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    """The words that count, in order: stems, numbers, Chinese characters."""
    found = (word.lower().replace(",", "") for word in _TOKEN.findall(unified(MARK.sub("", text))))
    return tuple(word if word in _LIMITS else stem(word) for word in found if word not in _SILENT)
