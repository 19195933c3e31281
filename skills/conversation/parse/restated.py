"""Read a number that takes the place of one that the thread holds: "5 seconds instead of 3", "20B 不够，起码 30B".

What a bare number means is said by what it stands against: the old one, named beside it, or the one limit of its unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from skills.conversation.parse.quantities import Quantity
from skills.conversation.parse.rates import PEAK_PERIODS
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.units import SECONDS_PER_UNIT, usd
from skills.conversation.request import Requirements

_BILLION = 1e9
_SIZES = ("min_params_b", "max_params_b")
_TIMES = ("max_latency_s", "max_first_token_s")
_MONEY = ("budget_usd_per_month", "max_usd_per_mtok")
_FIELDS = (*_SIZES, *_TIMES, *_MONEY, "min_tokens_per_s", "peak_requests_per_min", "min_context_tokens")
_ALONE = (*_TIMES, "peak_requests_per_min")
"""Limits whose unit says enough in a thread that holds one of them."""
_LONGEST_S = 600


def read_restated(
    reading: Reading, quantities: Sequence[Quantity], held: Requirements, stated: dict[str, Any]
) -> dict[str, Any]:
    """Fields of `held` that this turn gives another value, without saying of what."""
    return {**_alone(reading, quantities, held, stated), **_in_place(reading, quantities, held)}


def _alone(
    reading: Reading, quantities: Sequence[Quantity], held: Requirements, stated: dict[str, Any]
) -> dict[str, Any]:
    """ "200 ms, please", of a thread with one limit in time."""
    for field in (name for name in _ALONE if getattr(held, name) is not None):
        others = _TIMES if field in _TIMES else (field,)
        if any(name in stated for name in others) or reading.has("not_latency"):
            continue
        values = [v for q in quantities if not q.is_negated and (v := _in_unit(reading, q, field))]
        if values and (field not in _TIMES or values[0] <= _LONGEST_S):
            return {field: values[0]}
    return {}


def _in_place(reading: Reading, quantities: Sequence[Quantity], held: Requirements) -> dict[str, Any]:
    """The new one of two numbers, of which the other is what the thread holds."""
    if len(quantities) < 2 or not reading.has_any("superseded", "negation"):
        return {}
    for field in (name for name in _FIELDS if getattr(held, name) is not None):
        before = float(getattr(held, field))
        old = next((q for q in quantities if _is_worth(reading, q, field, before)), None)
        value = _new_value(reading, [q for q in quantities if q is not old], field, old)
        if old is None or value is None or value == before:
            continue
        sizes = {name: getattr(held, name) for name in _SIZES} if field in _SIZES else {}
        return {**sizes, field: value}
    return {}


def _is_worth(reading: Reading, quantity: Quantity, field: str, before: float) -> bool:
    value = quantity.value if _is_bare(quantity) else _in_unit(reading, quantity, field)
    return value is not None and abs(value - before) < 1e-6 * before


def _new_value(
    reading: Reading, others: Sequence[Quantity], field: str, old: Quantity | None
) -> float | None:
    """One of the two has the unit of the field; the other may be bare."""
    if old is None or len(others) != 1:
        return None
    new = others[0]
    if (value := _in_unit(reading, new, field)) is not None:
        return value
    worth = _in_unit(reading, old, field)
    return (
        None
        if worth is None or not _is_bare(new)
        else float(f"{new.value * worth * old.factor / old.value:.6g}")
    )


def _is_bare(quantity: Quantity) -> bool:
    return quantity.unit is None and quantity.scale is None and not quantity.is_money


def _in_unit(reading: Reading, quantity: Quantity, field: str) -> float | None:
    """The quantity as the field counts, or None where it is of another kind."""
    if quantity.is_money or quantity.value <= 0:
        return usd(quantity) if quantity.is_money and field in _MONEY else None
    return _CONVERTERS[field](reading, quantity) if field in _CONVERTERS else None


def _billions(_: Reading, quantity: Quantity) -> float | None:
    is_size = quantity.scale in ("b", "bn", "billion", "亿") and quantity.unit in (None, "param")
    return quantity.value / _BILLION if is_size else None


def _seconds(_: Reading, quantity: Quantity) -> float | None:
    per_unit = SECONDS_PER_UNIT.get(str(quantity.unit))
    return None if per_unit is None or quantity.bound == "min" else round(quantity.value * per_unit, 4)


def _tokens_per_s(reading: Reading, quantity: Quantity) -> float | None:
    is_rate = quantity.unit == "token" and _period(reading, quantity) == "second"
    return quantity.value if is_rate or reading.at(quantity.end, "speed_unit") else None


def _per_min(reading: Reading, quantity: Quantity) -> float | None:
    per_period = PEAK_PERIODS.get(_period(reading, quantity) or "")
    is_of_requests = quantity.unit in (None, "request", "piece")
    return quantity.value * per_period if per_period and is_of_requests else None


def _tokens(reading: Reading, quantity: Quantity) -> float | None:
    is_length = quantity.unit == "token" or (quantity.unit is None and quantity.scale == "k")
    return round(quantity.value) if is_length and _period(reading, quantity) is None else None


def _period(reading: Reading, quantity: Quantity) -> str | None:
    period = reading.after(quantity.end, "period", 0)
    return None if period is None else period.value


_CONVERTERS: dict[str, Callable[[Reading, Quantity], float | None]] = {
    "min_params_b": _billions,
    "max_params_b": _billions,
    "max_latency_s": _seconds,
    "max_first_token_s": _seconds,
    "min_tokens_per_s": _tokens_per_s,
    "peak_requests_per_min": _per_min,
    "min_context_tokens": _tokens,
}
