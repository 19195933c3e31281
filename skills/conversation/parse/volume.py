"""Read how many tokens a month there are: said so, or as so many pieces of so many tokens, words or pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skills.conversation.parse.lexicon import load
from skills.conversation.parse.quantities import Quantity
from skills.conversation.parse.rates import (
    LENGTHS,
    PEAK_PERIODS,
    SHORT_PERIODS,
    Traffic,
    months,
    period_after,
    period_of,
    traffic,
)
from skills.conversation.parse.reading import Reading

_LARGE_TOKENS = 1_000_000
_CONTEXT_REACH = 4


@dataclass(frozen=True, slots=True)
class Volume:
    """Tokens a month, and the quantities that are no context length because of it."""

    tokens_per_month: float | None = None
    used: frozenset[Quantity] = frozenset()


def read_volume(reading: Reading, quantities: Sequence[Quantity], *, has_budget: bool) -> Volume:
    """Tokens a month; of the quantities, none that is money."""
    lengths = [q for q in quantities if q.unit in LENGTHS and not q.is_negated]
    tokens = [q for q in lengths if q.unit == "token"]
    all_coming = tuple(traffic(reading, quantities))
    counts = frozenset(coming.quantity for coming in all_coming)
    coming = next((t for t in all_coming if t.period.value not in PEAK_PERIODS), None)
    if coming is not None and (each := _each(reading, lengths, coming)) is not None:
        used = counts | {each} if each.unit == "token" else counts
        out = _answered(reading, quantities, each)
        return Volume(coming.per_month * (in_tokens(each) + (out.value if out else 0.0)), used)
    for quantity in lengths:
        period = period_of(reading, quantity.start, quantity.end)
        if period is not None and period.value not in SHORT_PERIODS:
            return Volume(in_tokens(quantity) * months(period), counts | {quantity})
    large = [q for q in tokens if q.value >= _LARGE_TOKENS and not is_by_context_word(reading, q)]
    if has_budget and large:
        return Volume(large[0].value, counts | set(large[:1]))
    speeds = frozenset(q for q in tokens if period_of(reading, q.start, q.end) is not None)
    return Volume(None, counts | speeds)


def in_tokens(length: Quantity) -> float:
    """A length of text in tokens."""
    constants = load("units")["constants"]
    per_unit = {
        "token": 1.0,
        "char": constants["tokens_per_chinese_char"],
        "word": constants["tokens_per_english_word"],
        "page": constants["tokens_per_page"],
    }
    return length.value * float(per_unit[str(length.unit)])


def _each(reading: Reading, lengths: Sequence[Quantity], coming: Traffic) -> Quantity | None:
    """How long one of the pieces is: "350 tokens each", 每单八百字, "20-page contracts"."""
    for length in lengths:
        is_limit = length.bound in ("max", "min") and length.unit != "token"
        if is_limit or is_by_context_word(reading, length) or reading.has("output_word"):
            continue
        after = period_after(reading, length.end)
        is_total = after is not None and after.value not in SHORT_PERIODS and after != coming.period
        if not is_total:
            return length
    return None


def _answered(reading: Reading, quantities: Sequence[Quantity], each: Quantity) -> Quantity | None:
    """The 300 of "1,200 tokens in and 300 out"."""
    after = (q for q in quantities if each.end < q.start <= each.end + _CONTEXT_REACH)
    return next((q for q in after if q.unit in (None, "token") and _is_output(reading, q)), None)


def _is_output(reading: Reading, quantity: Quantity) -> bool:
    following = reading.gap(quantity.end, quantity.end + 2).split()
    return not {"out", "output", "出"}.isdisjoint(following)


def is_by_context_word(reading: Reading, length: Quantity) -> bool:
    """Whether it is said of the context: "a 128k window"."""
    return reading.near(length.start, length.end, "context_word", _CONTEXT_REACH) is not None
