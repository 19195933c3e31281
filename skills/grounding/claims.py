"""Claims in words: links and orders, weighty words, the opposite of the evidence, and what is nowhere in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from skills.grounding.evidence import Clause, Evidence
from skills.grounding.terms import (
    FORBIDDEN,
    HAN,
    LINK,
    MARK,
    NEGATION,
    ORDERS,
    WEIGHTY,
    content,
    contradicts,
    gist,
    is_said_alike,
    letters_in,
    share,
)

_SUPPORT = {"en": 0.6, "zh": 0.4}
"""Share of what a sentence is about that must occur in the evidence."""
_IN_ONE = {"en": 0.34, "zh": 0.22}
"""Share that must occur in one place of it."""
_NEAR, _NEARER = 0.6, 0.75
_ALL_OF_IT = 0.9
_NEAR_ENOUGH = 0.5
_HARD_TO = re.compile(
    r"\b(?:hard|difficult|misleading|meaningless|unfair|avoid|only)\b|难|误导|没有意义|避免|只",
    re.IGNORECASE | re.ASCII,
)
_MEASURED = re.compile(r"\b(?:measured|tested|verified)\b|实测|测试过|验证过", re.IGNORECASE | re.ASCII)


def has_link_or_command(sentence: str, evidence: Evidence) -> bool:
    """A link, a mention, a command or code that the evidence does not have."""
    if any(match.group().lower() not in evidence.text for match in FORBIDDEN.finditer(sentence)):
        return True
    quoted = re.findall(r"`([^`]+)`", sentence)
    links = [match.group().lower().rstrip(".,") for match in LINK.finditer(sentence)]
    return any(text.lower() not in evidence.text for text in [*quoted, *links])


def gives_orders(sentence: str, evidence: Evidence) -> bool:
    """An order stands only where the answer itself, not a quoted document, gives it in these words."""
    own = "\n".join(fact.sentence for fact in evidence.facts if not fact.marks).lower()
    return any(not re.search(rf"\b{re.escape(m.group().lower())}", own) for m in ORDERS.finditer(sentence))


def claims_too_much(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    """Weighty words that nothing about these models says."""
    about = frozenset(model for part in parts for model in part.models)
    texts = [
        f.sentence.lower() for f in evidence.facts if not f.is_asked and _is_about(f.clause.models, about)
    ]
    for match in WEIGHTY.finditer(sentence):
        word = match.group().lower()
        if not any(_has_said(word, sentence, text) for text in texts):
            return True
    is_measured = any(line.kind == "measured" for item in evidence.recommendations for line in item.evidence)
    says_measured = _MEASURED.search(sentence) and not NEGATION.search(sentence)
    return bool(says_measured and evidence.recommendations and not is_measured)


def _has_said(word: str, sentence: str, text: str) -> bool:
    """The text has the word, its stem, or, where it speaks of the same, a word to the same effect."""
    stems = content(word)
    if word in text or (stems and stems <= content(text)):
        return True
    return is_said_alike(word, text) and share(content(sentence), content(text)) >= _NEAR_ENOUGH


def _is_about(known: frozenset[str], about: frozenset[str]) -> bool:
    return not known or not about or bool(known & about)


def says_the_opposite(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    """What the evidence says in nearly these words, it says with a not, or with the opposite word."""
    known = [f for f in evidence.facts if not f.is_asked]
    if any(_is_opposite(part.text, [f.clause.text for f in known], _agrees, _NEARER) for part in parts):
        return True
    documents = [f.sentence for f in known if f.marks]
    if _adds_a_not(sentence, documents):
        return True
    return _is_opposite(sentence, documents, lambda claim, text: not contradicts(claim, text), _NEAR)


def _adds_a_not(claim: str, known: Sequence[str]) -> bool:
    """A source has all the words of the claim, but nowhere a not."""
    words = gist(MARK.sub("", claim))
    if len(words) < 3 or not NEGATION.search(claim) or _HARD_TO.search(claim):
        return False
    best = [text for text in known if share(words, gist(text)) >= _ALL_OF_IT]
    return bool(best) and not any(NEGATION.search(text) for text in best)


def _is_opposite(claim: str, known: Sequence[str], agrees: Callable[[str, str], bool], near: float) -> bool:
    words = gist(claim)
    if len(words) < (1 if letters_in(claim) else 2):
        return False
    scored = [(share(words, gist(text)), text) for text in known]
    best = max((score for score, _ in scored), default=0.0)
    if best < near:
        return False
    return not any(agrees(claim, text) for score, text in scored if score >= 0.85 * best)


def _agrees(claim: str, known: str) -> bool:
    if contradicts(claim, known):
        return False
    letters, theirs = letters_in(claim), letters_in(known)
    if letters and theirs and letters.isdisjoint(theirs):
        return False
    is_negated = bool(NEGATION.search(claim))
    return is_negated == bool(NEGATION.search(known)) or bool(_HARD_TO.search(claim) and not is_negated)


def is_elsewhere(sentence: str, _parts: Sequence[Clause], evidence: Evidence) -> bool:
    """Too little of what the sentence is about occurs in the evidence."""
    words = content(MARK.sub("", sentence))
    language = "zh" if HAN.search(sentence) else "en"
    if not words:
        return False
    if share(words, evidence.content) < _SUPPORT[language]:
        return True
    if len(words) < 4:
        return False
    return max(share(words, content(f.sentence)) for f in evidence.facts) < _IN_ONE[language]
