"""Find what a turn says that cannot hold together, and say which side is assumed.

Nothing is resolved in silence: each conflict keeps both sides in the person's words. Of two sizes the later is
assumed, as people correct themselves; of two places to run, the one where nothing leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from skills.conversation.parse.lexicon import load, words
from skills.conversation.parse.limits import is_param_count, text_tokens
from skills.conversation.parse.money import monthly_usd
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.quantities import Bound, Quantity
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.units import GIB_PER_UNIT
from skills.conversation.request import Conflict

_NEAR = 3
_APART = 8
_MOST_LICENCES = 12
"""More are a list, and every pair would be looked at."""


@dataclass(frozen=True)
class Clash:
    """A conflict, with what the assumption does to the rest of the turn."""

    conflict: Conflict
    dropped: Quantity | None = None
    """The amount that does not count."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Fields as assumed."""


def clashes(reading: Reading, quantities: Sequence[Quantity]) -> tuple[Clash, ...]:
    """Every conflict within one turn."""
    found: list[Clash | None] = [
        _of_sizes(reading, quantities),
        _of_lengths(reading, quantities),
        _of_budgets(reading, quantities),
        _of_memory(reading, quantities),
        _of_hosting(reading) or _of_hardware_and_api(reading),
        _of_devices(reading),
        _of_licences(reading),
    ]
    return tuple(clash for clash in found if clash is not None)


def is_closed(model_id: str) -> bool:
    """True when the weights of this model cannot be had, as far as its id says."""
    content = load("models")
    folded = model_id.lower()
    return folded.startswith(tuple(content["closed_ids"])) and not folded.startswith(
        tuple(content["open_ids"])
    )


def quote(reading: Reading, start: int, end: int) -> str:
    """The person's own words between two positions."""
    tokens = reading.tokens
    return reading.text.cased[tokens[start].start : tokens[end - 1].end].strip()


def _of_sizes(reading: Reading, quantities: Sequence[Quantity]) -> Clash | None:
    sizes = [q for q in quantities if not q.is_negated and is_param_count(reading, q)]
    limits = [q for q in sizes if q.bound in ("max", "min")]
    sizes = [replace(q, bound=_opposite(reading, q, limits)) for q in sizes]
    pair = _crossed(sizes, lambda q: q.value)
    if pair is None:
        return None
    fields = {"max": "max_params_b", "min": "min_params_b"}
    return _clash(reading, pair, (fields[pair[0].bound], fields[pair[1].bound]), kept=pair[1])


def _opposite(reading: Reading, size: Quantity, limits: Sequence[Quantity]) -> Bound:
    """ "30B but no more than 8B": a plain size that a "but" sets against a limit, as the limit that it would be."""
    for limit in limits if size.bound in ("exact", "about") else ():
        first, second = (size, limit) if size.start < limit.start else (limit, size)
        between = reading.tokens[first.end : min(second.start, first.end + _APART + 1)]
        if len(between) <= _APART and any(token.text in words("text", "contrasts") for token in between):
            return "min" if limit.bound == "max" else "max"
    return size.bound


def _of_lengths(reading: Reading, quantities: Sequence[Quantity]) -> Clash | None:
    lengths = [q for q in quantities if text_tokens(reading, q) is not None]
    pair = _crossed(lengths, lambda q: text_tokens(reading, q) or 0.0)
    is_ours = pair is not None and reading.has("context_word")
    return (
        _clash(reading, pair, ("min_context_tokens",) * 2, kept=_bound(pair, "min"))
        if pair and is_ours
        else None
    )


def _of_budgets(reading: Reading, quantities: Sequence[Quantity]) -> Clash | None:
    sums = [q for q in quantities if q.is_money and not q.is_negated and monthly_usd(reading, q) is not None]
    pair = _crossed(sums, lambda q: monthly_usd(reading, q) or 0.0)
    return _clash(reading, pair, ("budget_usd_per_month",) * 2, kept=_bound(pair, "max")) if pair else None


def _of_memory(reading: Reading, quantities: Sequence[Quantity]) -> Clash | None:
    memories = [
        q
        for q in quantities
        if q.unit in GIB_PER_UNIT and not q.is_negated and not reading.near(q.start, q.end, "period", 1)
    ]
    pair = _crossed(memories, lambda q: q.value * GIB_PER_UNIT[str(q.unit)])
    return _clash(reading, pair, ("max_memory_gib",) * 2, kept=pair[1]) if pair else None


def _crossed(
    amounts: Iterable[Quantity], value: Callable[[Quantity], float]
) -> tuple[Quantity, Quantity] | None:
    """A ceiling below a floor, in the order said."""
    amounts = list(amounts)
    ceiling = min((q for q in amounts if q.bound == "max"), key=value, default=None)
    floor = max((q for q in amounts if q.bound == "min"), key=value, default=None)
    if ceiling is None or floor is None or value(ceiling) >= value(floor):
        return None
    return (ceiling, floor) if ceiling.start < floor.start else (floor, ceiling)


def _bound(pair: tuple[Quantity, Quantity], bound: str) -> Quantity:
    return pair[0] if pair[0].bound == bound else pair[1]


def _clash(
    reading: Reading, pair: tuple[Quantity, Quantity], fields: tuple[str, str], *, kept: Quantity
) -> Clash:
    said = (_with_bound(reading, pair[0]), _with_bound(reading, pair[1]))
    conflict = Conflict(fields=fields, said=said, kept="first" if kept is pair[0] else "second")
    return Clash(conflict, dropped=pair[1] if kept is pair[0] else pair[0])


def _with_bound(reading: Reading, quantity: Quantity) -> str:
    bounds = [reading.before(quantity.start, category, _NEAR) for category in ("at_most", "at_least")]
    starts = [match.start for match in bounds if match is not None and match.value == "before"]
    start = min([quantity.start, *starts[-1:]])
    denial = reading.before(start, "negation", 1)
    return quote(reading, denial.start if denial is not None else start, quantity.end)


def _of_hosting(reading: Reading) -> Clash | None:
    """Own hardware and an API, one of them insisted on, and not offered as alternatives."""
    kept_in = [m for m in reading.all("leak") if reading.is_negated(m.start)]
    own = [*(m for m in reading.stated("hosting") if m.value == "self"), *kept_in]
    api = [m for m in reading.stated("hosting") if m.value == "api"]
    taken_back = _taken_back(reading, own)
    if taken_back is not None:
        return _insisted(reading, own[0], taken_back, "hosting")
    if not own or not api or reading.has("hosting", "any") or not _is_against(reading, own[0], api[0]):
        return None
    return _insisted(reading, own[0], api[0], "hosting")


def _taken_back(reading: Reading, own: Sequence[Match]) -> Match | None:
    """An API that "is fine", *but* nothing may leave."""
    for allowed in reading.all("hosting", "any") if own else ():
        between = {token.text for token in reading.tokens[allowed.end : own[0].start]}
        if between & words("text", "contrasts") and _is_strict(reading, own[0]):
            return allowed
    return None


def _of_hardware_and_api(reading: Reading) -> Clash | None:
    """A machine to run on, and nothing but an API."""
    named = reading.stated("gpu")
    hosting = reading.stated("hosting")
    if not named or {match.value for match in hosting} != {"api"} or not _is_strict(reading, hosting[0]):
        return None
    return _insisted(reading, named[0], hosting[0], "gpus")


def _insisted(reading: Reading, own: Match, api: Match, field_of_own: str) -> Clash:
    """Own hardware is assumed: what has left cannot be called back."""
    first, second = sorted((own, api), key=lambda match: match.start)
    fields = (field_of_own if first is own else "hosting", field_of_own if second is own else "hosting")
    conflict = Conflict(
        fields=fields,
        said=(_in_clause(reading, first), _in_clause(reading, second)),
        kept="first" if first is own else "second",
    )
    return Clash(conflict, fields={"hosting": "self"})


def _is_against(reading: Reading, own: Match, api: Match) -> bool:
    first, second = sorted((own, api), key=lambda match: match.start)
    between = {token.text for token in reading.tokens[first.end : second.start]}
    if between & words("text", "alternatives"):
        return False
    is_contrast = bool(between & words("text", "contrasts"))
    return is_contrast or _is_strict(reading, own) or _is_strict(reading, api)


def _is_strict(reading: Reading, match: Match) -> bool:
    start, end = reading.clause(match.start, match.end)
    said = f" {reading.gap(start, end)} "
    is_must = any(f" {phrase} " in said for phrase in words("text", "insistence"))
    return is_must or any(token.text in words("text", "strict") for token in reading.tokens[start:end])


def _in_clause(reading: Reading, match: Match) -> str:
    """The phrase, with the "only" or "must" that makes it strict."""
    start, end = reading.clause(match.start, match.end)
    strict = [i for i in range(start, end) if reading.tokens[i].text in words("text", "strict")]
    near = [i for i in strict if match.start - _NEAR <= i < match.end + _NEAR]
    return quote(reading, min([match.start, *near]), max([match.end, *(i + 1 for i in near)]))


def _of_devices(reading: Reading) -> Clash | None:
    """No GPU, and one by its name, which is assumed."""
    accelerators = {item["name"]: item for item in load("accelerators")["accelerators"]}
    stated = reading.stated("gpu")
    none = [m for m in stated if m.value == "CPU" and _denies_gpu(reading, m)]
    named = [m for m in stated if not accelerators[m.value].get("is_generic")]
    if not none or not named:
        return None
    first, second = sorted((none[0], named[0]), key=lambda match: match.start)
    between = {token.text for token in reading.tokens[first.end : second.start]}
    if between & words("text", "alternatives"):
        return None
    said = (quote(reading, first.start, first.end), quote(reading, second.start, second.end))
    kept: Literal["first", "second"] = "first" if first is named[0] else "second"
    return Clash(Conflict(fields=("gpus", "gpus"), said=said, kept=kept))


def _denies_gpu(reading: Reading, match: Match) -> bool:
    said = {token.text for token in reading.tokens[match.start : match.end]}
    return not said.isdisjoint(words("text", "strict"))


def _of_licences(reading: Reading) -> Clash | None:
    """ "Apache only", and in another breath one more that is fine too: then both are."""
    named = [m for m in reading.stated("licence") if m.value != "commercial"][:_MOST_LICENCES]
    for first, second in _pairs(named):
        is_strict = any(reading.tokens[i].text in words("text", "strict") for i in _around(reading, first))
        start, end = reading.clause(second.start, second.end)
        allows = any(token.text in words("text", "allowances") for token in reading.tokens[start:end])
        if is_strict and allows and not start <= first.start < end and first.value != second.value:
            said = (_in_clause(reading, first), quote(reading, second.start, end))
            return Clash(Conflict(fields=("licences", "licences"), said=said, kept="both"))
    return None


def _around(reading: Reading, match: Match) -> range:
    start, end = reading.clause(match.start, match.end)
    return range(max(start, match.start - _NEAR), min(end, match.end + _NEAR))


def _pairs(matches: Sequence[Match]) -> Iterator[tuple[Match, Match]]:
    for i, first in enumerate(matches):
        yield from ((first, second) for second in matches[i + 1 :])
