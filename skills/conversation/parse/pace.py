"""Read how fast it must be and how much will be asked: "under 500 ms", "2 秒内", "50 tokens/s", "20k requests a day"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skills.conversation.parse.quantities import Quantity
from skills.conversation.parse.rates import PEAK_PERIODS, traffic
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.units import SECONDS_PER_UNIT

_SECONDS_PER_UNIT = SECONDS_PER_UNIT | {"minute": 60.0}
_REACH = 6
_LONGEST_S = 600
_TOO_LONG_WITHIN = 3


def read_pace(reading: Reading, quantities: Sequence[Quantity]) -> dict[str, Any]:
    """Limits on time and speed, and how many requests there are."""
    times = [
        (q.value * _SECONDS_PER_UNIT[str(q.unit)], q.start, q.end)
        for q in quantities
        if _is_latency(reading, q)
    ]
    times += [(float(match.value), match.start, match.end) for match in reading.all("one_second")]
    speeds = [q.value for q in quantities if _is_speed(reading, q)]
    fields = _limits_on_time(reading, [time for time in times if time[0] <= _LONGEST_S])
    if speeds:
        fields["min_tokens_per_s"] = max(speeds)
    return fields | _requests(reading, quantities)


def _limits_on_time(reading: Reading, times: Sequence[tuple[float, int, int]]) -> dict[str, Any]:
    """The shortest time to the first token and to the whole answer, from (seconds, start, end)."""
    whole = [seconds for seconds, start, end in times if not _is_to_first(reading, start, end)]
    first = [seconds for seconds, start, end in times if _is_to_first(reading, start, end)]
    if reading.has("first_token") and not first:
        whole, first = [], whole
    fields: dict[str, Any] = {"max_latency_s": round(min(whole), 4)} if whole else {}
    return fields | ({"max_first_token_s": round(min(first), 4)} if first else {})


def _is_to_first(reading: Reading, start: int, end: int) -> bool:
    return reading.near(start, end, "first_token", _REACH) is not None


def _is_latency(reading: Reading, quantity: Quantity) -> bool:
    """A time that an answer may take: a limit, beside a word for answering or in milliseconds."""
    if quantity.unit not in _SECONDS_PER_UNIT or quantity.is_negated or quantity.value <= 0:
        return False
    is_too_long = reading.after(quantity.end, "too_long", _TOO_LONG_WITHIN) is not None
    if reading.has("not_latency") or (quantity.bound == "min" and not is_too_long):
        return False
    if quantity.unit == "minute" and not (quantity.bound == "max" or _is_waited(reading, quantity)):
        return False
    words = [reading.near(quantity.start, quantity.end, c, _REACH) for c in ("latency_word", "first_token")]
    is_by_word = any(words)
    return is_by_word or (quantity.unit == "ms" and quantity.bound == "max")


def _is_waited(reading: Reading, quantity: Quantity) -> bool:
    """ "In 2 minutes", 等两分钟: elsewhere minutes are more often how long a recording is."""
    return quantity.start > 0 and reading.tokens[quantity.start - 1].text in (
        "in",
        "wait",
        "take",
        "等",
        "到",
    )


def _is_speed(reading: Reading, quantity: Quantity) -> bool:
    """Tokens a second, at least."""
    if quantity.bound == "max" or quantity.is_negated or quantity.is_money or not quantity.value:
        return False
    if quantity.unit is None:
        return reading.at(quantity.end, "speed_unit") is not None
    after, before = reading.after(quantity.end, "period", 1), reading.before(quantity.start, "period", 4)
    period = after or before
    return quantity.unit == "token" and period is not None and period.value == "second"


def _requests(reading: Reading, quantities: Sequence[Quantity]) -> dict[str, float]:
    fields: dict[str, float] = {}
    for quantity in quantities:
        rate = reading.at(quantity.end, "request_rate") or reading.before(quantity.start, "request_rate", 2)
        if quantity.unit is None and rate is not None and not quantity.is_negated and quantity.value >= 1:
            fields.setdefault("peak_requests_per_min", quantity.value * float(rate.value))
    for coming in traffic(reading, quantities):
        if coming.period.value in PEAK_PERIODS:
            peak = coming.quantity.value * PEAK_PERIODS[coming.period.value]
            fields.setdefault("peak_requests_per_min", peak)
        else:
            fields.setdefault("requests_per_month", float(f"{coming.per_month:.4g}"))
    return fields
