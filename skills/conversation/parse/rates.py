"""Read what comes in by the day or the month, and the span of time that an amount is for.

"2,500 loan applications per day", "每天五千单": so many pieces of work, whatever they are called.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from skills.conversation.parse.lexicon import load, words
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.quantities import Quantity
from skills.conversation.parse.reading import Reading

SHORT_PERIODS = frozenset({"hour", "minute", "second", "request"})
"""A budget is for longer."""
PEAK_PERIODS = {"minute": 1.0, "second": 60.0}
"""Requests a minute or a second are a peak, which says nothing about a month."""
LENGTHS = frozenset({"token", "char", "word", "page"})
_TRAFFIC_UNITS = frozenset({"request", "piece", "row"})
_COUNTS = frozenset({None, "person", "other"})
_NOUN_REACH = 4
_FEWEST_THINGS = 20
_LONGEST_NAME = 4
_OPENS_PHRASE = frozenset({"in", "with", "of", "from", "that", "which", "to"})
_OF_SIZES = frozenset({"b", "bn"})
_PERIOD_AFTER = 3
_PERIOD_FAR = 6
_PERIOD_BEFORE = 7


@dataclass(frozen=True, slots=True)
class Traffic:
    """So many pieces of work in a period."""

    quantity: Quantity
    end: int
    """Where the word for what comes in ends."""
    period: Match
    senders: float = 1.0
    """Of how many people or places each sends so many."""

    @property
    def per_month(self) -> float:
        """How many a month."""
        return self.quantity.value * self.senders * months(self.period)


def months(period: Match) -> float:
    """How many of these periods a month has."""
    return float(load("units")["constants"]["months_per"][period.value])


def period_of(reading: Reading, start: int, end: int) -> Match | None:
    """ "a month" after the tokens, or "每月" and "monthly" before them, nearest first."""
    inside = [m for m in reading.all("period") if start <= m.start and m.end <= end]
    return inside[0] if inside else period_after(reading, end) or _period_before(reading, start)


def period_after(reading: Reading, end: int) -> Match | None:
    """ "a month", near; "go through it each day", further away, as only a period is said so."""
    after = reading.after(end, "period", _PERIOD_FAR)
    if after is None or has_number(reading, end, after.start):
        return None
    is_near = after.start - end <= _PERIOD_AFTER
    return after if is_near or reading.tokens[after.start].text in words("units", "each_time") else None


def _period_before(reading: Reading, start: int) -> Match | None:
    before = reading.before(start, "period", _PERIOD_BEFORE)
    return before if before and not has_number(reading, before.end, start) else None


def has_number(reading: Reading, start: int, end: int) -> bool:
    """Whether digits stand between two positions."""
    return any(token.is_number for token in reading.tokens[start:end])


def traffic(reading: Reading, quantities: Sequence[Quantity]) -> Iterator[Traffic]:
    """All that comes in, in the order it is named."""
    for quantity in quantities:
        if quantity.is_negated or quantity.is_money or quantity.value < 1:
            continue
        end = _end_of_noun(reading, quantity, quantities)
        period = period_of(reading, quantity.start, end) if end else None
        if period is not None and period.value != "request":
            senders = _senders(reading, quantities, quantity)
            yield Traffic(quantity, max(end, quantity.end), period, senders)


def _senders(reading: Reading, quantities: Sequence[Quantity], sent: Quantity) -> float:
    """The 40 of "40 lawyers, each asks 15 questions a day"."""
    before = [q for q in quantities if q.end <= sent.start and not q.is_money and q.unit in _COUNTS]
    if not before:
        return 1.0
    last = max(before, key=lambda quantity: quantity.end)
    is_each = any(last.end <= m.start < sent.start for m in reading.all("each"))
    return last.value if is_each and float(last.value).is_integer() and last.scale not in _OF_SIZES else 1.0


def _end_of_noun(reading: Reading, quantity: Quantity, quantities: Sequence[Quantity]) -> int:
    """Where the word for what comes in ends: "3,000 support questions", 两千张发票; 0 without one."""
    if quantity.unit in _TRAFFIC_UNITS:
        return quantity.end
    if quantity.unit not in (None, "other", "gpu"):
        return 0
    noun = reading.after(quantity.end, "traffic", _NOUN_REACH) or _unit_after(reading, quantity)
    if noun is not None and not _is_of_another(quantity, noun, quantities):
        is_flat = quantity.unit is None or reading.gap(quantity.end - 1, quantity.end) in ("张", "片", "个")
        return noun.end if is_flat else 0
    return _end_of_things(reading, quantity) if quantity.unit is None else 0


def _unit_after(reading: Reading, quantity: Quantity) -> Match | None:
    noun = reading.after(quantity.end, "unit", _NOUN_REACH)
    return noun if noun is not None and noun.value in _TRAFFIC_UNITS else None


def _is_of_another(quantity: Quantity, noun: Match, quantities: Sequence[Quantity]) -> bool:
    """ "12 agents handle 300 emails": the emails are 300; "40 20-page contracts" are 40."""
    return any(
        quantity.end <= other.start < noun.end and other.unit not in LENGTHS
        for other in quantities
        if other is not quantity
    )


def _end_of_things(reading: Reading, quantity: Quantity) -> int:
    """Where a plural that no lexicon knows ends, of which so many come in some time; 0 where there is none."""
    is_count = quantity.value >= _FEWEST_THINGS and float(quantity.value).is_integer()
    if not is_count or quantity.scale in _OF_SIZES:
        return 0
    for end in range(quantity.end + 1, min(quantity.end + _LONGEST_NAME, len(reading.tokens)) + 1):
        last = reading.tokens[end - 1]
        is_part = last.is_word and reading.same_clause(quantity.end, end)
        if not is_part or last.text in words("text", "no_things"):
            return 0
        is_over = end == len(reading.tokens) or not reading.tokens[end].is_word or _is_timed(reading, end)
        if last.text.endswith("s") and is_over:
            return end
    return 0


def _is_timed(reading: Reading, end: int) -> bool:
    return reading.at(end, "period") is not None or reading.gap(end, end + 1) in _OPENS_PHRASE
