"""Names in a sentence, citations, models, licences and any other, that the evidence does not have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from skills.grounding.concepts import KINDS, concepts
from skills.grounding.evidence import Clause, Evidence, mentions
from skills.grounding.terms import GENERIC, HAN, MARK, NEGATION, TO_YOU, content, licences, share

if TYPE_CHECKING:
    from spellchecker import SpellChecker

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[._+/-][A-Za-z0-9]+)*")
_NUMBERED_NAME = re.compile(r"(?<![A-Za-z0-9])[A-Z][A-Za-z-]*[A-Z][A-Za-z-]*\s\d[\d.]*\d(?![\d%])")
"""AIME 2025, RTX 4090."""


def cites_wrongly(sentence: str, _parts: Sequence[Clause], evidence: Evidence) -> bool:
    """A mark that does not exist, or of a source that is about something else."""
    cited = {int(n) for n in MARK.findall(sentence)}
    if not cited <= evidence.marks or re.search(r"\[(?!\d{1,3}\])[^\]]*\d[^\]]*\]|【\d+", sentence):
        return True
    kinds = concepts(sentence) & KINDS
    known = {kind for n in cited for kind in concepts(evidence.source_texts[n]) & KINDS}
    if kinds and known and kinds.isdisjoint(known) and not NEGATION.search(sentence):
        return True
    named = {key for _, _, key in mentions(MARK.sub("", sentence), evidence.names) if key[0] not in "~?"}
    for n in cited:
        about = {key for key in evidence.source_models[n] if key[0] not in "~?"}
        if named and about and named.isdisjoint(about):
            return True
    if not cited or not content(sentence):
        return False
    shares = [share(content(sentence), content(evidence.source_texts[n])) for n in evidence.marks]
    own = max(share(content(sentence), content(evidence.source_texts[n])) for n in cited)
    return not named and own < 0.5 * max(shares)


def names_unknown_model(sentence: str, _parts: Sequence[Clause], evidence: Evidence) -> bool:
    """A model that the evidence does not name."""
    for start, end, key in mentions(sentence, evidence.names):
        if key in evidence.models:
            continue
        said = sentence[start:end].lower()
        if key.startswith("~") and (key[1:].lower() in evidence.text) and key[1:].lower() in said:
            continue
        if key.startswith("?") and re.search(rf"(?<![\w-]){re.escape(said)}(?![\w-])", evidence.text):
            continue
        return True
    return False


def names_wrong_licence(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    """A licence that is not that of the model."""
    for part in parts:
        named = licences(part.text)
        if not named <= evidence.licences:
            return True
        before = sentence[: max(0, sentence.find(part.text.strip()))] + part.text
        if named and TO_YOU.search(before) and not mentions(sentence, evidence.names):
            continue
        known = [evidence.licence_of[m] for m in part.models if m in evidence.licence_of]
        if named and known and not any(named & licence for licence in known):
            return True
    return False


def names_unknown(sentence: str, _parts: Sequence[Clause], evidence: Evidence) -> bool:
    """A name in Latin letters, with a capital or a digit in it, that the evidence does not have."""
    plain = MARK.sub(" ", sentence)
    if any(match.group().lower() not in evidence.text for match in _NUMBERED_NAME.finditer(plain)):
        return True
    is_chinese = bool(HAN.search(plain))
    for match in _NAME.finditer(plain):
        word = match.group()
        is_initial = not re.search(r"[A-Za-z]", plain[: match.start()]) and not HAN.search(
            plain[: match.start()]
        )
        looks_like_a_name = bool(re.search(r"\d|[a-z][A-Z]|[A-Z]{2}", word)) or (
            word[0].isupper() and not is_initial
        )
        if not (looks_like_a_name or is_chinese or (is_initial and word[0].isupper())):
            continue
        if _is_known(word.lower(), evidence):
            continue
        if is_initial and not looks_like_a_name and not is_chinese and _is_english(word):
            continue
        return True
    return False


def _is_known(word: str, evidence: Evidence) -> bool:
    return (
        word in GENERIC
        or word in evidence.tokens
        or word.removesuffix("s") in evidence.tokens
        or all(
            part in evidence.tokens or part in GENERIC or part.isdigit()
            for part in re.split(r"[._+/-]", word)
        )
    )


def _is_english(word: str) -> bool:
    return word.lower() in _english()


@lru_cache(maxsize=1)
def _english() -> SpellChecker:
    from spellchecker import SpellChecker  # noqa: PLC0415 - 0.2 s, and only with a chat model

    return SpellChecker(language="en")
