"""Read how fast it must be and how much will be asked: "under 500 ms", "2 秒内", "50 tokens/s", "20k requests a day"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skills.conversation.parse.lexicon import load
from skills.conversation.parse.quantities import Quantity
from skills.conversation.parse.reading import Reading

_SECONDS_PER_UNIT = {"second": 1.0, "ms": 0.001}
_REACH = 6
_LONGEST_S = 600
_ADJECTIVES = 2
"""Words that may stand between a number and what it counts."""
_VOLUME_PERIODS = frozenset({"hour", "day", "week", "month", "year"})
"""Requests a minute or a second are a peak, which says nothing about a month."""
TRAFFIC = frozenset({"request", "piece", "row"})
"""What comes in so many times a day: calls, or the documents and tickets that each make one."""
_PEAK_PERIODS = {"minute": 1.0, "second": 60.0}


def read_pace(reading: Reading, quantities: Sequence[Quantity]) -> dict[str, Any]:
    """Limits on time and speed, and how many requests there are."""
    times = [q.value * _SECONDS_PER_UNIT[str(q.unit)] for q in quantities if _is_latency(reading, q)]
    times += [float(match.value) for match in reading.all("one_second")]
    speeds = [q.value for q in quantities if _is_speed(reading, q)]
    fields: dict[str, Any] = {}
    if times and min(times) <= _LONGEST_S:
        name = "max_first_token_s" if reading.has("first_token") else "max_latency_s"
        fields[name] = round(min(times), 4)
    if speeds:
        fields["min_tokens_per_s"] = max(speeds)
    return fields | _requests(reading, quantities)


def _is_latency(reading: Reading, quantity: Quantity) -> bool:
    """A time that an answer may take: a limit, beside a word for answering or in milliseconds."""
    if quantity.unit not in _SECONDS_PER_UNIT or quantity.is_negated or quantity.value <= 0:
        return False
    if reading.has("not_latency") or quantity.bound == "min":
        return False
    words = [reading.near(quantity.start, quantity.end, c, _REACH) for c in ("latency_word", "first_token")]
    is_by_word = any(words)
    return is_by_word or (quantity.unit == "ms" and quantity.bound == "max")


def _is_speed(reading: Reading, quantity: Quantity) -> bool:
    """Tokens a second, at least."""
    if quantity.bound == "max" or quantity.is_negated or quantity.is_money or not quantity.value:
        return False
    if quantity.unit is None:
        return reading.at(quantity.end, "speed_unit") is not None
    after, before = reading.after(quantity.end, "period", 1), reading.before(quantity.start, "period", 4)
    period = after or before
    return quantity.unit == "token" and period is not None and period.value == "second"


def _counted(reading: Reading, quantity: Quantity) -> int | None:
    """Where the word ends for what comes in: "3,000 support questions", "two thousand incoming letters"."""
    if quantity.unit in TRAFFIC:
        return quantity.end
    is_chinese = quantity.end < len(reading.tokens) and reading.tokens[quantity.end].is_han
    reach = _ADJECTIVES * (2 if is_chinese else 1)
    noun = reading.after(quantity.end, "unit", reach) if quantity.unit is None else None
    return noun.end if noun is not None and noun.value in TRAFFIC and noun.start > quantity.end else None


def _requests(reading: Reading, quantities: Sequence[Quantity]) -> dict[str, float]:
    months = load("units")["constants"]["months_per"]
    for quantity in quantities:
        if quantity.is_negated or quantity.value < 1:
            continue
        rate = reading.at(quantity.end, "request_rate") or reading.before(quantity.start, "request_rate", 2)
        if quantity.unit is None and rate is not None:
            return {"peak_requests_per_min": quantity.value * float(rate.value)}
        counted = _counted(reading, quantity)
        if counted is None:
            continue
        after, before = reading.after(counted, "period", 3), reading.before(quantity.start, "period", 7)
        period = after or before
        if period is not None and period.value in _VOLUME_PERIODS:
            return {"requests_per_month": float(f"{quantity.value * float(months[period.value]):.4g}")}
        if period is not None and period.value in _PEAK_PERIODS:
            return {"peak_requests_per_min": quantity.value * _PEAK_PERIODS[period.value]}
    return {}
