"""Read amounts relative to what the thread said: "half the memory", "20% cheaper", "预算加 200 美元"."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from skills.conversation.parse.hardware import USUAL_GIB, is_tally, read_hardware
from skills.conversation.parse.lexicon import words
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.quantities import Quantity
from skills.conversation.parse.rates import months
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.units import GIB_PER_UNIT, usd
from skills.conversation.request import Gpus, Requirements

_REACH = 5
_NEAR = 3
_LOST_WITHIN = 2
_MOST_CARDS = 16
_FEW_CARDS = 8
""" "And 16?" is rather a size than a number of cards."""
_LEAST_BUDGET = 20
"""Less, and a bare number may be anything."""
_FIELDS_OF_WORD = {
    "hardware": ("max_memory_gib",),
    "context": ("min_context_tokens",),
    "size": ("min_params_b", "max_params_b"),
    "money": ("budget_usd_per_month", "max_usd_per_mtok"),
}
_CARDS = frozenset({"gpu", "gpus", "card", "cards", "显 卡"})
_BUDGET_PERIODS = frozenset({"month", "quarter", "half_year", "year"})
_TOWARDS = frozenset({"to", "at", "到", "至", "成", "为"})
"""A number after one of these is the new value, not the difference."""


def read_relative(reading: Reading, quantities: Sequence[Quantity], held: Requirements) -> dict[str, Any]:
    """Fields of `held` as this turn changes them by a factor, a percentage or a difference."""
    fields: dict[str, Any] = {}
    if held.gpus is not None and held.gpus.name in reading.denied("gpu"):
        fields |= _replaced(reading, quantities, held.gpus.count)
    if held.gpus is not None and (count := _new_count(reading, quantities, held.gpus)):
        fields |= _cards(held, count / held.gpus.count)
    for match, factor in [*_factors(reading), *_percentages(reading, quantities)]:
        fields |= _scaled(reading, match, factor, held)
    return fields | _shifted(reading, quantities, held)


def _replaced(reading: Reading, quantities: Sequence[Quantity], count: int) -> dict[str, Any]:
    """ "Not 4090s, they're 3090s": as many as before of another kind, unless it says how many."""
    stated = read_hardware(reading, quantities)
    gpus = stated.get("gpus")
    if gpus is None or gpus.count != 1 or _says_one(reading, quantities, gpus):
        return {}
    memory = {"max_memory_gib": count * gpus.memory_gib} if gpus.memory_gib else {}
    return {"gpus": gpus.model_copy(update={"count": count}), **memory}


def _new_count(reading: Reading, quantities: Sequence[Quantity], gpus: Gpus) -> int:
    """How many cards there are now, where the turn counts from those that there were; 0 where it does not."""
    in_all = [
        int(q.value)
        for q in quantities
        if is_tally(reading, q) and q.scale is None and math.isfinite(q.value)
    ]
    if in_all:
        is_of_cards = reading.has("gpu_word") or any(q.unit == "gpu" for q in quantities)
        return in_all[-1] if is_of_cards and not reading.has("gpu") else 0
    gained = _gained(reading, quantities, gpus)
    return gpus.count + gained if gained else 0


def _gained(reading: Reading, quantities: Sequence[Quantity], gpus: Gpus) -> int:
    """Cards more than before, or fewer: "a second L40S", "又借到两张", "we lost one of them"."""
    if reading.stated("one_more"):
        return 1
    for quantity in quantities:
        if not _counts_theirs(reading, quantity, gpus):
            continue
        if reading.before(quantity.start, "lost", _LOST_WITHIN) or reading.after(
            quantity.end, "lost", _REACH
        ):
            return -int(quantity.value) if not reading.after(quantity.end, "gpu", 0) else 0
        has_more = "more" in reading.gap(quantity.start, quantity.end).split()
        if (
            has_more
            or reading.before(quantity.start, "gained", _NEAR)
            or reading.after(quantity.end, "gained", 0)
        ):
            return int(quantity.value)
    named = [
        m for m in reading.stated("gpu") if m.value == gpus.name and reading.before(m.start, "another", 1)
    ]
    return len(named[:1])


def _counts_theirs(reading: Reading, quantity: Quantity, gpus: Gpus) -> bool:
    """A whole number of cards, of the kind that they have where it is named."""
    if quantity.value != int(quantity.value) or quantity.scale is not None or quantity.is_money:
        return False
    named = reading.after(quantity.end, "gpu", _NEAR)
    is_theirs = named is not None and named.value == gpus.name
    return is_theirs or (quantity.unit == "gpu" and named is None)


def _says_one(reading: Reading, quantities: Sequence[Quantity], gpus: Gpus) -> bool:
    """ "For an A6000", "换成一张 H100"."""
    for match in reading.stated("gpu"):
        is_counted = any(q.end <= match.start <= q.end + _NEAR and q.value == 1 for q in quantities)
        if match.value == gpus.name and (
            is_counted or reading.gap(match.start - 1, match.start) in ("a", "an")
        ):
            return True
    return False


def _factors(reading: Reading) -> Iterator[tuple[Match, float]]:
    for match in reading.stated("factor"):
        value = float(match.value)
        way = _way(reading, match)
        is_inverse = way is not None and way.value == "money_less" and value > 1
        yield match, 1 / value if is_inverse else value


def _percentages(reading: Reading, quantities: Sequence[Quantity]) -> Iterator[tuple[Match, float]]:
    for mark in reading.all("percent"):
        share = next((q.value / 100 for q in quantities if q.start < mark.end <= q.end), None)
        way = reading.near(mark.start - 1, mark.end, "direction", _NEAR)
        if share is not None and way is not None:
            yield mark, 1 - share if "less" in way.value else 1 + share


def _scaled(reading: Reading, match: Match, factor: float, held: Requirements) -> dict[str, Any]:
    word = reading.near(match.start, match.end, "field_word", _REACH)
    way = _way(reading, match)
    kind = word.value if word else ("money" if way and way.value.startswith("money") else "")
    if word is not None and _is_of_cards(reading, word) and held.gpus is not None:
        return _cards(held, factor)
    known = {field: getattr(held, field) for field in _FIELDS_OF_WORD.get(kind, ())}
    scaled = {field: _rounded(field, value * factor) for field, value in known.items() if value is not None}
    return dict(list(scaled.items())[:1]) if kind == "money" else scaled


def _way(reading: Reading, match: Match) -> Match | None:
    """The word that says which way, inside the phrase ("half price") or beside it ("half as cheap")."""
    return reading.at(match.start, "direction") or reading.near(match.start, match.end, "direction", _NEAR)


def _is_of_cards(reading: Reading, word: Match) -> bool:
    return reading.gap(word.start, word.end) in _CARDS


def _cards(held: Requirements, factor: float) -> dict[str, Any]:
    """The same accelerators, more or fewer of them."""
    gpus = held.gpus
    count = round(gpus.count * factor, 6) if gpus else 0.0
    if gpus is None or count < 1 or count != int(count):
        return {}
    changed = gpus.model_copy(update={"count": int(count)})
    memory = {"max_memory_gib": count * gpus.memory_gib} if gpus.memory_gib else {}
    return {"gpus": changed, **memory}


def _shifted(reading: Reading, quantities: Sequence[Quantity], held: Requirements) -> dict[str, Any]:
    """ "$200 more", "再加 16G"."""
    for quantity in quantities:
        way = _direction_of(reading, quantity)
        field, amount = _amount(quantity, held)
        if way is None or field is None:
            continue
        before = getattr(held, field)
        after = before - amount if "less" in way.value else before + amount
        if after > 0:
            return {field: _rounded(field, after)}
    return _restated(reading, quantities, held)


def _restated(reading: Reading, quantities: Sequence[Quantity], held: Requirements) -> dict[str, Any]:
    """ "Make that 700 a month", of a thread with a budget, in dollars; or a number without a word."""
    for quantity in quantities:
        if _is_put_alone(reading, quantity):
            return _put(quantity.value, held)
        is_bare = quantity.unit is None and quantity.scale in (None, "k") and not quantity.is_negated
        period = reading.at(quantity.end, "period")
        if is_bare and held.budget_usd_per_month and period is not None and period.value in _BUDGET_PERIODS:
            return {"budget_usd_per_month": float(f"{quantity.value * months(period):.4g}")}
        if _is_price(reading, quantity) and held.max_usd_per_mtok is not None:
            return {"max_usd_per_mtok": _rounded("max_usd_per_mtok", usd(quantity))}
    return {}


def _is_put_alone(reading: Reading, quantity: Quantity) -> bool:
    """A bare number that a turn sets, without a word on what of: "make that 300", "and on two?"."""
    if quantity.unit is not None or quantity.scale not in (None, "k") or quantity.is_negated:
        return False
    rest = [t for i, t in enumerate(reading.tokens) if not quantity.start <= i < quantity.end]
    return bool(rest) and all(
        t.text in words("text", "frame_of_number") or not t.text.isalnum() for t in rest
    )


def _put(value: float, held: Requirements) -> dict[str, Any]:
    """What a bare number can be, of what the thread holds: cards, their memory, or a budget."""
    is_size = value in USUAL_GIB and held.max_memory_gib is not None
    if held.gpus is not None and value in range(1, _MOST_CARDS + 1) and not (is_size and value > _FEW_CARDS):
        return _cards(held, value / held.gpus.count)
    if is_size:
        return {"max_memory_gib": value}
    if held.budget_usd_per_month and value >= _LEAST_BUDGET:
        return {"budget_usd_per_month": value}
    return {}


def _is_price(reading: Reading, quantity: Quantity) -> bool:
    """ "The price may be $2": of a thread with a price per token, where nothing says what for."""
    if not quantity.is_money or quantity.is_negated or reading.has_any("per_tokens", "period"):
        return False
    return bool(reading.stated("price_word")) and not reading.has("whole_budget")


def _direction_of(reading: Reading, quantity: Quantity) -> Match | None:
    if quantity.bound != "exact":
        return None
    after = reading.after(quantity.end, "direction", 0)
    before = reading.before(quantity.start, "direction", _NEAR)
    if before is not None and _TOWARDS & set(reading.gap(before.start, quantity.start).split()):
        before = None
    return after or before


def _amount(quantity: Quantity, held: Requirements) -> tuple[str | None, float]:
    if quantity.is_money:
        names = _FIELDS_OF_WORD["money"]
        return next((name for name in names if getattr(held, name) is not None), None), usd(quantity)
    if quantity.unit in GIB_PER_UNIT and held.max_memory_gib is not None:
        return "max_memory_gib", quantity.value * GIB_PER_UNIT[str(quantity.unit)]
    if quantity.unit == "token" and held.min_context_tokens is not None:
        return "min_context_tokens", quantity.value
    return None, 0.0


def _rounded(field: str, value: float) -> float:
    return round(value) if field == "min_context_tokens" else float(f"{value:.4g}")
