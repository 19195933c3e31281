"""Read how fast it must be and how much will be asked: "under 500 ms", "2 秒内", "50 tokens/s", "20k requests a day"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skills.conversation.parse.lexicon import load, words
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
_FEWEST_THINGS = 20
_LONGEST_NAME = 4
_OPENS_PHRASE = frozenset({"in", "with", "of", "from", "that", "which", "to"})
_OF_SIZES = frozenset({"b", "bn"})
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


def end_of_traffic(reading: Reading, quantity: Quantity) -> int | None:
    """Where the words end for what comes in: "3,000 support questions", "2,500 loan applications per day"."""
    if quantity.unit in TRAFFIC:
        return quantity.end
    if quantity.unit is not None or quantity.scale in _OF_SIZES:
        return None
    is_chinese = quantity.end < len(reading.tokens) and reading.tokens[quantity.end].is_han
    reach = _ADJECTIVES * (2 if is_chinese else 1)
    noun = reading.after(quantity.end, "unit", reach)
    if noun is not None and noun.start > quantity.end:
        return noun.end if noun.value in TRAFFIC else None
    return None if is_chinese else _end_of_things(reading, quantity)


def _end_of_things(reading: Reading, quantity: Quantity) -> int | None:
    """Where a plural that no lexicon knows ends, of which so many come in some time."""
    if quantity.value < _FEWEST_THINGS or not float(quantity.value).is_integer():
        return None
    for end in range(quantity.end + 1, min(quantity.end + _LONGEST_NAME, len(reading.tokens)) + 1):
        last = reading.tokens[end - 1]
        if (
            not last.is_word
            or not reading.same_clause(quantity.end, end)
            or last.text in words("text", "no_things")
        ):
            return None
        is_over = end == len(reading.tokens) or not reading.tokens[end].is_word or _is_timed(reading, end)
        if last.text.endswith("s") and (_is_timed(reading, end) or is_over):
            return end
    return None


def _is_timed(reading: Reading, end: int) -> bool:
    return reading.after(end, "period", 0) is not None or reading.gap(end, end + 1) in _OPENS_PHRASE


def _requests(reading: Reading, quantities: Sequence[Quantity]) -> dict[str, float]:
    months = load("units")["constants"]["months_per"]
    for quantity in quantities:
        if quantity.is_negated or quantity.value < 1:
            continue
        rate = reading.at(quantity.end, "request_rate") or reading.before(quantity.start, "request_rate", 2)
        if quantity.unit is None and rate is not None:
            return {"peak_requests_per_min": quantity.value * float(rate.value)}
        counted = end_of_traffic(reading, quantity)
        if counted is None:
            continue
        after, before = reading.after(counted, "period", 3), reading.before(quantity.start, "period", 7)
        period = after or before
        if period is not None and period.value in _VOLUME_PERIODS:
            return {"requests_per_month": float(f"{quantity.value * float(months[period.value]):.4g}")}
        if period is not None and period.value in _PEAK_PERIODS:
            return {"peak_requests_per_min": quantity.value * _PEAK_PERIODS[period.value]}
    return {}
