"""How many of each kind: "165 licence, 98 hosting" or "published 4". A count goes with the kind it is the count of."""

from __future__ import annotations

import re
from functools import lru_cache

from skills.grounding.concepts import KINDS, concepts
from skills.grounding.evidence import Evidence, mentions
from skills.grounding.terms import MARK

_REASONS = frozenset({"licence", "hosting", "memory", "language", "context"})
_NUMBER = re.compile(r"(?<![\w.,$-])\d+(?![\w%]|[.,]\d)(?!\s?(?:GiB|GB|token|bit|位|%))", re.IGNORECASE)
_NUMBER_WORDS = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "ten": "10"}
_WORD = re.compile(rf"\b({'|'.join(_NUMBER_WORDS)})\b(?= figures?| (?:is|are)\b)", re.IGNORECASE)
_ALL = re.compile(r"\b(?:all|every|entirely|only)\b|所有|全部|都|均|仅", re.IGNORECASE | re.ASCII)
_NONE = re.compile(
    r"\b(?:none|nothing|no (?:figures?|data|evidence))\b|没有|无(?=本地)", re.IGNORECASE | re.ASCII
)
_SOME = re.compile(r"\b(?:some|part(?:ly)?|several)\b|部分|一些", re.IGNORECASE | re.ASCII)
_FIGURES = re.compile(r"\b(?:data|figures?|evidence|nothing|results?)\b|数据|证据", re.IGNORECASE | re.ASCII)


def tally(sentence: str, evidence: Evidence) -> bool | None:
    """Whether the counts of a sentence are those of the evidence; None when it counts no kind."""
    known = _known(evidence.text)
    said = concepts(sentence)
    if not known:
        return None
    plain = _WORD.sub(lambda m: _NUMBER_WORDS[m[1].lower()], sentence)
    counted = _counted(plain)
    if MARK.search(sentence) or re.search(r"\d[.,]\d|[$%]", sentence) or mentions(sentence, evidence.names):
        return None
    if counted and all(kind for kind, _ in counted[1:]) and (said & KINDS or "excluded" in said):
        return all((kind or "excluded", n) in known for kind, n in counted)
    kinds = said & KINDS
    if len(kinds) != 1 or not _FIGURES.search(sentence):
        return None
    kind = next(iter(kinds))
    count = dict(known).get(kind, 0)
    others = sum(n for name, n in known if name in KINDS and name != kind)
    for pattern, holds in ((_NONE, count == 0), (_SOME, count > 0), (_ALL, count > 0 and others == 0)):
        if pattern.search(sentence):
            return holds
    return None


def _counted(text: str) -> list[tuple[str | None, int]]:
    """Each number, with the kind named after it, or else before it."""
    numbers = list(_NUMBER.finditer(text))
    found = []
    for i, number in enumerate(numbers):
        end = numbers[i + 1].start() if i + 1 < len(numbers) else len(text)
        start = numbers[i - 1].end() if i else 0
        kind = _kind(re.split(r"[,，;；。]|\band\b", text[number.end() : end])[0]) or _kind(
            text[start : number.start()]
        )
        found.append((kind, int(number.group())))
    return found


def _kind(text: str) -> str | None:
    named = concepts(text) & (KINDS | _REASONS)
    return next(iter(named)) if len(named) == 1 else None


@lru_cache(maxsize=64)
def _known(text: str) -> frozenset[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    for line in re.findall(r"(?:evidence shown|left out|所列证据|已?排除)[^\n]*", text):
        for part in re.split(r"[,，:：;；。]|\.(?=\s|$)", line):
            number = re.search(r"\d+", part)
            if number:
                kind = _kind(part) or ("excluded" if "excluded" in concepts(part) else None)
                found |= {(kind, int(number.group()))} if kind else set()
    return frozenset(found)
