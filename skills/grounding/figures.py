"""Numbers in a sentence that the evidence does not give: with their unit, to that model, for that figure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from skills.grounding.concepts import concepts
from skills.grounding.evidence import Clause, Evidence, Fact, mentions
from skills.grounding.quantities import Quantity, is_same
from skills.grounding.relations import is_difference, is_ratio
from skills.grounding.terms import MARK, TO_YOU, labels, letters_in

_BOUND = re.compile(
    r"(?P<above>\b(?:over|above|more than|at least|exceeds?|no less than)|超过|至少|不少于|高于|多于)\s*(?:about\s*)?$"
    r"|(?P<below>\b(?:under|below|less than|at most|within|no more than)|不到|至多|不超过|低于|少于)\s*(?:about\s*)?$",
    re.IGNORECASE | re.ASCII,
)
_BY = re.compile(
    r"(?:[高低多少差]|高出|高了|低了|相差)\s*(?:约|了|出)?\s*$|\b(?:margin of|higher by|lower by|ahead by|better by)\s*$",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"(?:\b(?:top|the|these|those|all|of)|前|这|那|上述|以上)\s*$", re.IGNORECASE | re.ASCII
)


def has_wrong_number(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    """A number that the evidence does not give to this model, with this unit, for this figure."""
    if _is_loaded_otherwise(sentence, parts, evidence):
        return True
    if any(_is_crossed(part, evidence) for part in parts):
        return True
    cited = frozenset(int(n) for n in MARK.findall(sentence))
    to_you = bool(TO_YOU.search(sentence))
    usable = [f for f in evidence.facts if not f.is_asked or to_you or "gpu" in concepts(sentence)]
    return any(
        (_is_told_apart(q, part) and not is_difference(q, sentence, parts, evidence))
        or (
            not _is_supported(
                q,
                about,
                part,
                cited,
                usable,
                _benchmarks(part.text, evidence) or _benchmarks(sentence, evidence),
            )
            and not _is_a_count(q, part, sentence, evidence)
            and not is_difference(q, sentence, parts, evidence)
            and not (q.unit == "times" and is_ratio(q.shown, sentence, parts, evidence))
        )
        for part in parts
        for q, about in part.numbers
    )


def _is_loaded_otherwise(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    """The sentence names one way of loading, and gives the memory of another."""
    loading = labels(sentence)["loading"]
    if len(loading) != 1:
        return False
    known = [
        (q, labels(f.clause.text)["loading"])
        for f in evidence.facts
        for q, _ in f.clause.numbers
        if q.unit == "bytes"
    ]
    numbers = [q for part in parts for q, _ in part.numbers if q.unit == "bytes"]
    given = [[ways for q, ways in known if is_same(number, q)] for number in numbers]
    return any(ways and all(way and way.isdisjoint(loading) for way in ways) for ways in given)


def _is_told_apart(q: Quantity, part: Clause) -> bool:
    """The number says by how much one differs from the other: 高 0.4."""
    return bool(_BY.search(part.text[: q.start])) and not q.unit


def _is_crossed(part: Clause, evidence: Evidence) -> bool:
    """Two numbers in one breath that the evidence gives to different things: 8,192 tokens here, 4.5 GiB there."""
    if part.models or evidence.recommendations:
        return False  # then each number is held by the model that it belongs to
    numbers = [q for q, _ in part.numbers if q.unit and not q.date]
    known = [
        [q for q, _ in fact.clause.numbers] for fact in evidence.facts if fact.marks and not fact.is_asked
    ]
    return any(_are_crossed(a, b, known) for a in numbers for b in numbers if a is not b and a.unit != b.unit)


def _are_crossed(a: Quantity, b: Quantity, known: Sequence[Sequence[Quantity]]) -> bool:
    with_a = [others for others in known if any(is_same(a, q) for q in others)]
    if any(is_same(b, q) for others in with_a for q in others):
        return False
    return any(q.unit == b.unit for others in with_a for q in others)


def _benchmarks(text: str, evidence: Evidence) -> set[str]:
    """The benchmarks that a claim names; the longest name where one is part of another."""
    named = {name for name in evidence.benchmarks if name in text.lower()}
    return {name for name in named if not any(name != other and name in other for other in named)}


def _is_supported(
    q: Quantity,
    about: frozenset[str],
    part: Clause,
    cited: frozenset[int],
    facts: Sequence[Fact],
    benchmarks: set[str],
) -> bool:
    bound = _BOUND.search(part.text[: q.start])
    said = labels(part.text)
    letters = letters_in(part.text)
    for fact in facts:
        if cited and fact.marks and not cited & fact.marks:
            continue
        theirs = letters_in(fact.clause.text)
        if letters and theirs and letters.isdisjoint(theirs):
            continue
        if (
            benchmarks
            and q.unit in (None, "percent")
            and not any(name in fact.sentence.lower() for name in benchmarks)
        ):
            continue
        for known, of in fact.clause.numbers:
            if about and of and not about & of:
                continue
            if not (is_same(q, known) or (bound and _is_within(q, known, is_above=bool(bound["above"])))):
                continue
            if _is_labelled_alike(said, fact, known, q):
                return True
    return False


def _is_within(q: Quantity, known: Quantity, *, is_above: bool) -> bool:
    if q.date or known.date or q.unit != known.unit or not known.values[0]:
        return False
    ratio = q.values[0] / known.values[0]
    return 0.85 <= ratio <= 1 if is_above else 1 <= ratio <= 1.15


def _is_labelled_alike(said: dict[str, frozenset[str]], fact: Fact, known: Quantity, q: Quantity) -> bool:
    """The figure is of the kind that the claim says, and of the way of loading that it says."""
    has = labels(fact.clause.text)
    if known.unit == "bytes":
        has = {**has, "figure": has["figure"] | {"memory"}}
    if q.unit in ("tokens", "requests", "items"):
        said = {**said, "loading": frozenset()}
    return all(not said[kind] or not has[kind] or bool(said[kind] & has[kind]) for kind in said)


def _is_a_count(q: Quantity, part: Clause, sentence: str, evidence: Evidence) -> bool:
    """Two models, the top three."""
    if not q.is_count or q.date or q.unit not in (None, "models"):
        return False
    named = {key for _, _, key in mentions(sentence, evidence.names)}
    is_counted = q.unit == "models" or bool(_COUNTED.search(part.text[: q.start].rstrip() + " "))
    return is_counted and q.shown in (len(named), len(evidence.recommendations))
