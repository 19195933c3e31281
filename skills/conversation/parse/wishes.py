"""Read the wishes that are words, not numbers: task, languages, licences, hosting, modalities, priority, tuning."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from index.records import Quantization
from skills.conversation.parse.lexicon import load, words
from skills.conversation.parse.makers import read_makers
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.tongues import read_languages

_ALLOWED_WITHIN = 2


def read_wishes(reading: Reading) -> dict[str, Any]:
    """Every wish that the turn states."""
    found = {
        "task": read_task(reading),
        "languages": read_languages(reading),
        "licences": read_licences(reading),
        "excluded_licences": _excluded_licences(reading),
        "hosting": _hosting(reading),
        "modalities": reading.values("modality") or None,
        "priority": _priority(reading),
        "finetune": _tuning(reading),
        **read_makers(reading),
        "reasoning": _reasoning(reading),
        "architecture": _architecture(reading),
    }
    return {field: value for field, value in found.items() if value is not None}


def read_task(reading: Reading) -> str | None:
    """The heaviest task named, the first among equals; else what a hint or a kind of model suggests."""
    weights = load("tasks")["task_weight"]
    for category in ("task", "task_hint"):
        named = reading.stated(category)
        if named:
            return max(named, key=lambda match: (weights[match.value], -match.start)).value
    if reading.stated("condenses"):
        return "summarization"
    if reading.stated("detects"):
        return "classification"
    return "reasoning" if any(match.value == "task" for match in _wanted(reading, "thinking")) else None


def read_licences(reading: Reading) -> tuple[str, ...] | None:
    """Licence ids in the order of mention. "Commercial" adds nothing beside a list of licences."""
    groups = load("licences")["groups"]
    named = [licence for value in reading.values("licence") for licence in groups.get(value, [value])]
    if any(reading.is_negated(m.start) for m in reading.all("not_a_licence", "research")):
        named.append("commercial")
    exact = [licence for licence in dict.fromkeys(named) if licence != "commercial"]
    return tuple(exact or named) or None


def _excluded_licences(reading: Reading) -> tuple[str, ...] | None:
    """Licences that are denied; beside a list of those that will do, the others need no denial."""
    groups = load("licences")["groups"]
    denied = [licence for value in reading.denied("licence") for licence in groups.get(value, [value])]
    wanted = set(read_licences(reading) or ())
    found = tuple(licence for licence in dict.fromkeys(denied) if licence not in {*wanted, "commercial"})
    return found if found and wanted <= {"commercial"} else None


def _reasoning(reading: Reading) -> bool | None:
    """Whether the model should think before it answers."""
    denied = {match.value for match in reading.all("thinking") if reading.is_negated(match.start)}
    wanted = _wanted(reading, "thinking")
    named = {match.value for match in wanted}
    has_task = bool(reading.stated("task") or reading.stated("task_hint"))
    if any(match.value == "task" and (has_task or _is_insisted(reading, match)) for match in wanted):
        named.add("on")
    if "off" in named or denied & {"on", "task"}:
        return False
    return True if "on" in named or "off" in denied else None


def _is_insisted(reading: Reading, match: Match) -> bool:
    """ "Must be a reasoning model": then it is the kind that is meant, not the task."""
    start, end = reading.clause(match.start, match.end)
    said = f" {reading.gap(start, end)} "
    return any(f" {phrase} " in said for phrase in words("text", "insistence"))


def _wanted(reading: Reading, category: str) -> list[Match]:
    """Matches that are stated as a wish, not only allowed: "MoE is fine too"."""

    def is_allowed(match: Match) -> bool:
        following = reading.tokens[match.end : match.end + _ALLOWED_WITHIN]
        return any(token.text in words("text", "allowances") for token in following)

    return [match for match in reading.stated(category) if not is_allowed(match)]


def _architecture(reading: Reading) -> str | None:
    """Dense or a mixture of experts; the denial of one is a wish for the other."""
    named, denied = _values(_wanted(reading, "architecture")), reading.denied("architecture")
    other = {"moe": "dense", "dense": "moe"}
    found = dict.fromkeys([*named, *(other[kind] for kind in denied)])
    return next(iter(found)) if len(found) == 1 else None


def read_quantizations(reading: Reading) -> tuple[Quantization, ...]:
    """Every quantization named, in the order of mention."""
    return reading.values("quantization")  # type: ignore[return-value]  # the lexicon holds no other values


def _hosting(reading: Reading) -> str | None:
    named = set(reading.values("hosting")) | ({"self"} if reading.denied("leak") else set())
    if "any" in named or {"self", "api"} <= named:
        return "any"
    denied = set(reading.denied("hosting"))
    if not named and denied:
        return {"self": None, "api": "self"}.get(next(iter(denied)))
    return next(iter(named), None)


def _priority(reading: Reading) -> str | None:
    """The one priority named; of several, the one put first, else a balance."""
    matches = reading.stated("priority")
    named = set(_values(matches))
    if len(named) <= 1:
        return next(iter(named), None)
    if "balanced" in named:
        return "balanced"
    strong = [match for match in matches if _is_strong(reading.gap(match.start, match.end) + " ")]
    if len({match.value for match in strong}) > 1 and reading.has("both_ends"):
        return "balanced"
    return strong[0].value if strong else "balanced"


def _is_strong(phrase: str) -> bool:
    compact = phrase.replace(" ", "") if not phrase.isascii() else phrase
    return any(mark in compact for mark in load("preferences")["strong_priority"])


def _tuning(reading: Reading) -> bool | None:
    """True when they mean to tune, False when they say they will not."""
    named = reading.all("finetune")
    if not named:
        return None
    return not all(reading.is_negated(match.start) for match in named)


def _values(matches: Iterable[Match]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(match.value for match in matches))
