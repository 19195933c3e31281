"""Merge what a turn states with what its thread said before: refine, replace, relax, add, or start anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skills.conversation.parse.hardware import sizes_of
from skills.conversation.parse.lexicon import words
from skills.conversation.parse.released import released
from skills.conversation.parse.signals import Signals
from skills.conversation.parse.units import GIB_PER_UNIT
from skills.conversation.request import Gpus, Request, Requirements, SkillName

_LISTS = ("languages", "modalities", "licences")
_EXCLUSIONS = {
    "excluded_licences": "licences",
    "excluded_vendors": "vendors",
    "excluded_origins": "origins",
}
"""What is not wanted, and the field that says what is."""
_CHOOSING: frozenset[SkillName] = frozenset({"recommend", "clarify"})
_TURN_ONLY = ("candidates", "quantization")
"""Said in a question or for a job, these do not bind later recommendations."""
_ANY_MAC = "Apple silicon"
_SIZE = ("min_params_b", "max_params_b")


@dataclass(frozen=True)
class Merged:
    """The requirements of the thread after a turn."""

    requirements: Requirements
    changed: tuple[str, ...]
    is_follow_up: bool


def merge(signals: Signals, skill: SkillName, stated: Mapping[str, Any]) -> Merged:
    """What holds now, and which fields this turn stated or dropped."""
    previous = signals.previous
    if previous is None or is_fresh(signals, skill):
        dropped = previous.requirements.stated() if previous and signals.reading.has("reset") else {}
        return Merged(Requirements(**stated), _in_order({*stated, *dropped}), is_follow_up=False)
    base = _inherited(previous, skill, stated)
    kept = _kept(base, signals, stated) if skill in _CHOOSING | {"compare"} else dict(base)
    if skill in _CHOOSING:
        kept, stated = _without_released(kept, stated, released(signals.reading, base), base)
    said = _exclusions(base, kept, _combined(kept, signals, {**_one_more_maker(signals), **stated}))
    said = _on_known_card(base, said, signals)
    merged = _consistent({**kept, **said}, base, said)
    changed = {*said, *(field for field in {*base, *merged} if base.get(field) != merged.get(field))}
    return Merged(Requirements(**merged), _in_order(changed), _builds_on(signals, skill, bool(changed)))


def _without_released(
    kept: dict[str, Any],
    stated: Mapping[str, Any],
    gone: Mapping[str, tuple[str, ...]],
    base: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both without what was taken back; what is named beside it joins what is left of a list."""
    said = dict(stated)
    for field, values in gone.items():
        if not isinstance(base[field], tuple):
            kept = {name: value for name, value in kept.items() if name != field}
            said.pop(field, None)
            continue
        kept = _without(kept, field, values)
        new = [value for value in said.pop(field, ()) if value not in values]
        if new:
            said[field] = tuple(dict.fromkeys([*kept.get(field, ()), *new]))
    return kept, said


def is_fresh(signals: Signals, skill: SkillName) -> bool:
    """A reset, or a full new request: a task and a wish for a model, with nothing that refines."""
    reading = signals.reading
    if reading.has("reset", "reset"):
        return True
    refines = (
        reading.has("what_if", "what_if") or reading.has("refine", "strong") or reading.has_any("add", "more")
    )
    opens_with_particle = any(match.start == 0 for match in reading.all("what_if", "particle"))
    states_nothing = not signals.fields and signals.asks_choice is None and not signals.names_models
    states_all = "task" in signals.fields and len(signals.fields) > 1 and not signals.names_kind_of_model
    if reading.has("reset", "undo") and (states_nothing or states_all):
        return True
    is_full = skill == "recommend" and signals.asks_choice is not None and "task" in signals.fields
    if signals.names_kind_of_model:
        return False
    return is_full and not refines and not opens_with_particle and not signals.points_back


def _inherited(previous: Request, skill: SkillName, stated: Mapping[str, Any]) -> dict[str, Any]:
    """The thread's fields, without those that only the last turn's question or job was about."""
    held = {name: value for name, value in previous.requirements if value is not None}
    if previous.skill in _CHOOSING or previous.skill == skill:
        return held
    passing = [field for field in _TURN_ONLY if field in previous.changed and field not in stated]
    return {name: value for name, value in held.items() if name not in passing}


def _kept(base: Mapping[str, Any], signals: Signals, stated: Mapping[str, Any]) -> dict[str, Any]:
    """The thread's fields that this turn does not take back."""
    kept = {name: value for name, value in base.items() if name not in signals.statement.relaxed}
    for field, category in (("languages", "language"), ("licences", "licence"), ("modalities", "modality")):
        kept = _without(kept, field, signals.reading.denied(category))
    for field in ("hosting", "priority", "task"):
        if kept.get(field) in signals.reading.denied(field) and field not in stated:
            kept.pop(field)
    if kept.get("priority") in signals.statement.lifted and "priority" not in stated:
        kept.pop("priority")
    return _welcomed(_sizes_that_hold(kept, stated), signals)


def _sizes_that_hold(kept: dict[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """A new size limit stands beside the other one of the thread, unless the two cannot both hold."""
    low, high = ({**kept, **stated}.get(name) for name in _SIZE)
    is_possible = low is None or high is None or low <= high
    if set(_SIZE).isdisjoint(stated) or is_possible:
        return kept
    return {name: value for name, value in kept.items() if name not in _SIZE}


def _welcomed(kept: dict[str, Any], signals: Signals) -> dict[str, Any]:
    """Models that are fine after all: no exclusion any more, and one more in a list of those that will do."""
    for field in ("origins", "vendors"):
        values = tuple(match.value for match in signals.reading.all(f"welcome_{field}"))
        kept = _without(kept, f"excluded_{field}", values)
        if "foreign" in values:
            kept = {name: value for name, value in kept.items() if name != field}
        elif values and field in kept:
            kept = {**kept, field: tuple(dict.fromkeys([*kept[field], *values]))}
    open_now = {field for field in ("architecture", "reasoning") if signals.reading.has(f"welcome_{field}")}
    return {name: value for name, value in kept.items() if name not in open_now}


def _without(kept: dict[str, Any], field: str, denied: tuple[str, ...]) -> dict[str, Any]:
    left = tuple(value for value in kept.get(field) or () if value not in denied)
    rest = {name: value for name, value in kept.items() if name != field}
    return {**rest, field: left} if left else rest


def _combined(kept: Mapping[str, Any], signals: Signals, stated: Mapping[str, Any]) -> dict[str, Any]:
    """ "Also Japanese" adds to a list, "what about Japanese" replaces it."""
    is_list = signals.reading.has_any("add", "given_up") or _swaps_one(kept, signals) or _goes_on(signals)
    if not is_list:
        return dict(stated)
    return {
        field: tuple(dict.fromkeys([*kept[field], *value])) if field in _LISTS and field in kept else value
        for field, value in stated.items()
        if field != "task" or field not in kept or not signals.reading.has("add")
    }


def _swaps_one(kept: Mapping[str, Any], signals: Signals) -> bool:
    """ "Drop the German, Italian instead": one of the thread's languages goes, and the others stay."""
    before = signals.previous.requirements.languages if signals.previous else None
    is_only = any(token.text in words("text", "only") for token in signals.reading.tokens)
    return bool(before) and "languages" in kept and kept["languages"] != before and not is_only


def _one_more_maker(signals: Signals) -> dict[str, Any]:
    """ "And Microsoft too", right after makers were left out: one more of them."""
    named = signals.reading.values("vendor")
    was_left_out = signals.previous is not None and "excluded_vendors" in signals.previous.changed
    is_all = not signals.fields and not signals.is_question and signals.reading.has("add")
    return {"excluded_vendors": named} if named and was_left_out and is_all else {}


def _goes_on(signals: Signals) -> bool:
    """ "And English", "和英文": one more, as it is no question."""
    opens = any(token.text in words("text", "going_on") for token in signals.reading.tokens[:1])
    return opens and not signals.is_question and not signals.reading.has("what_if", "what_if")


def _exclusions(base: Mapping[str, Any], kept: dict[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """Exclusions add up. Taking one back from a list of what will do is no exclusion, and a wish ends one."""
    said = dict(stated)
    for excluded, wanted in _EXCLUSIONS.items():
        if excluded in said:
            denied = said.pop(excluded)
            left = tuple(value for value in base.get(wanted, ()) if value not in denied)
            is_none_left = wanted == "vendors" and not left and wanted not in said
            new = [value for value in denied if is_none_left or value not in base.get(wanted, ())]
            if left != base.get(wanted, ()):
                kept.pop(wanted, None)
                kept |= {wanted: left} if left else {}
            if new:
                said[excluded] = tuple(dict.fromkeys([*kept.get(excluded, ()), *new]))
        elif wanted == "licences" and wanted not in base and _are_allowed_again(said, kept):
            lifted = said.pop(wanted)
            left = tuple(value for value in kept.pop(excluded) if value not in lifted)
            kept |= {excluded: left} if left else {}
        elif wanted in said and excluded in kept:
            left = tuple(value for value in kept.pop(excluded) if value not in said[wanted])
            kept |= {excluded: left} if left else {}
    if "tokens_per_month" in said:
        kept.pop("requests_per_month", None)
    return said


def _are_allowed_again(said: Mapping[str, Any], kept: Mapping[str, Any]) -> bool:
    """ "The Llama licence is ok after all": the end of an exclusion, not a wish for that licence alone."""
    return "licences" in said and set(said["licences"]) <= set(kept.get("excluded_licences", ()))


def _on_known_card(base: Mapping[str, Any], said: dict[str, Any], signals: Signals) -> dict[str, Any]:
    """ "So just one A100": of the memory that the thread's A100 has, where the turn says no other."""
    gpus, known = said.get("gpus"), base.get("gpus")
    states_memory = any(match.value in GIB_PER_UNIT for match in signals.reading.all("unit"))
    if gpus is None and known is not None:
        return _in_its_size(known, said, signals)
    if gpus is None or known is None:
        return said
    if _is_general_name(gpus, known):
        gpus = gpus.model_copy(update={"name": known.name})
        said = {**said, "gpus": gpus}
    if gpus.name != known.name or known.memory_gib is None or states_memory:
        return said
    same = Gpus(name=known.name, count=gpus.count, memory_gib=known.memory_gib)
    return {**said, "gpus": same, "max_memory_gib": same.count * known.memory_gib}


def _in_its_size(known: Gpus, said: dict[str, Any], signals: Signals) -> dict[str, Any]:
    """ "The 80 gig one", "80G版的": another size of the thread's card, where it comes in that size."""
    memory = said.get("max_memory_gib")
    is_variant = any(signals.reading.after(m.end, "variant", 0) for m in signals.reading.all("unit", "gib"))
    if not is_variant or known.name is None or memory not in sizes_of(known.name):
        return said
    same = Gpus(name=known.name, count=known.count, memory_gib=memory)
    return {**said, "gpus": same, "max_memory_gib": same.count * memory}


def _is_general_name(gpus: Gpus, known: Gpus) -> bool:
    """ "The Mac", of a thread that says which."""
    return gpus.name == _ANY_MAC and (known.name or "").startswith("Apple ")


def _consistent(merged: dict[str, Any], base: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """GPUs and total memory that contradict each other: what this turn says wins."""
    gpus, known = stated.get("gpus"), base.get("gpus")
    if "max_memory_gib" in stated and gpus is None:
        return {name: value for name, value in merged.items() if name != "gpus"}
    if gpus is None or "max_memory_gib" in stated:
        return merged
    if gpus.name is None and known is not None and known.memory_gib:
        same = Gpus(name=known.name, count=gpus.count, memory_gib=known.memory_gib)
        return {**merged, "gpus": same, "max_memory_gib": same.count * known.memory_gib}
    return {name: value for name, value in merged.items() if name != "max_memory_gib"}


def _builds_on(signals: Signals, skill: SkillName, has_changed: bool) -> bool:
    if skill in ("help", "decline"):
        return False
    if skill in _CHOOSING or skill == "explain":
        return True
    refers = (
        signals.points_back
        or signals.reading.has("what_if", "what_if")
        or signals.reading.has("refine", "strong")
    )
    goes_on = has_changed or (signals.previous is not None and signals.previous.skill == skill)
    return refers or (skill in ("evaluate", "finetune") and goes_on and not signals.names_models)


def _in_order(fields: Mapping[str, Any] | set[str]) -> tuple[str, ...]:
    return tuple(field for field in Requirements.model_fields if field in fields)
