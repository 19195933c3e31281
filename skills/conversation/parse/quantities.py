"""Turn numbers and what stands around them into quantities: value, unit, bound, negation.

Fields do not parse numbers themselves: each picks the quantities whose unit is its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from skills.conversation.parse.lexicon import words
from skills.conversation.parse.numbers import Number, number_at
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.reading import Reading

Bound = Literal["max", "min", "about", "exact"]

_BOUND_REACH = 3
_LIMIT_REACH = 6
_BEFORE_UNITS = frozenset({"-", "多", "余", "来"})
""" "24-GB", 两百多页."""
_SHEET_REACH = 12
_PUT_RIGHT_REACH = 5
_DEVICE_TIME = frozenset({"hour", "hours", "hr", "hrs", "minute", "minutes", "min", "mins", "day", "days"})
_BOUNDS: tuple[tuple[str, Bound], ...] = (("at_most", "max"), ("at_least", "min"), ("about", "about"))
_FLIPPED: dict[Bound, Bound] = {"max": "min", "min": "max", "about": "about", "exact": "exact"}
_OWNERS_OF_DIGITS = ("gpu", "quantization", "licence", "per_tokens", "not_a_model")
"""Numbers inside these phrases belong to the phrase: 4090, 4-bit, Apache 2.0."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit and bound, by token positions.

    `unit` is a value of the unit lexicon, a currency code, or None for a bare number.
    """

    value: float
    unit: str | None
    bound: Bound
    start: int
    end: int
    scale: str | None = None
    factor: float = 1.0
    is_money: bool = False
    is_negated: bool = False


def find_quantities(reading: Reading, masked: Iterable[tuple[int, int]] = ()) -> tuple[Quantity, ...]:
    """Every quantity outside the masked token spans, from left to right."""
    has_money = reading.has_any("currency_before", "currency_after")
    owners = [category for category in _OWNERS_OF_DIGITS if category != "per_tokens" or has_money]
    owned = [(m.start, m.end) for category in owners for m in reading.all(category)]
    taken = {position for start, end in [*owned, *masked] for position in range(start, end)}
    return tuple(_corrected(reading, list(_with_ranges(reading, list(_scan(reading, taken))))))


def _scan(reading: Reading, taken: set[int]) -> Iterator[Quantity]:
    at = 0
    while at < len(reading.tokens):
        is_none = at in taken or _is_glued_to_name(reading, at) or _is_one_by_one(reading, at)
        number = None if is_none else number_at(reading.tokens, at)
        if number is None:
            at += 1
            continue
        quantity = _quantity(reading, number)
        yield quantity
        at = max(quantity.end, number.end)


def _is_glued_to_name(reading: Reading, at: int) -> bool:
    """True for the 4 of "gpt4": digits that follow letters without a space, unless those count or price."""
    token = reading.tokens[at]
    if not (token.joined and token.is_number and at and reading.tokens[at - 1].is_word):
        return False
    is_counted = reading.tokens[at - 1].text in ("x", "sub")
    return not is_counted and not _ending(reading, at, ("currency_before",))


def _is_one_by_one(reading: Reading, at: int) -> bool:
    """一封封, 一条条: one after the other, however many."""
    texts = [token.text for token in reading.tokens[at : at + 3]]
    return len(texts) == 3 and texts[0] == "一" and texts[1] == texts[2]


def _quantity(reading: Reading, number: Number) -> Quantity:
    unit, is_money, start, end = _unit(reading, number)
    bound, bound_end = _bound(reading, start, end)
    return Quantity(
        value=number.value,
        unit=unit,
        bound=bound,
        start=start,
        end=max(end, bound_end),
        scale=number.scale,
        factor=number.factor,
        is_money=is_money,
        is_negated=bound == "exact" and reading.is_negated(start),
    )


def _unit(reading: Reading, number: Number) -> tuple[str | None, bool, int, int]:
    """Unit, whether it is money, and the span with the unit in it."""
    currency = _ending(reading, number.start, ("currency_before",))
    if currency is not None and currency.start and reading.tokens[currency.start - 1].is_number:
        currency = None  # 1500 人民币一个月: it belongs to the number before it
    at = number.end
    if at < len(reading.tokens) and reading.tokens[at].text in _BEFORE_UNITS:
        at += 1
    after = _starting(reading, at, ("unit", "currency_after"))
    if currency is not None:
        repeats = after is not None and after.category == "currency_after"
        return currency.value, True, currency.start, after.end if after and repeats else number.end
    if after is None or _is_class_of_size(reading, number, after):
        is_volume = reading.before(number.start, "token_volume", _BOUND_REACH) is not None
        return "token" if is_volume else None, False, number.start, number.end
    if after.category == "currency_after" and _counts_cards(reading, after):
        return "gpu", False, number.start, after.end
    if after.value == "gpu" and (_counts_other_sheets(reading, after) or _is_device_time(reading, after)):
        return "other", False, number.start, after.end
    return after.value, after.category == "currency_after", number.start, after.end


def _is_class_of_size(reading: Reading, number: Number, unit: Match) -> bool:
    """ "The 30b class" is a size, "30 classes" are not."""
    return number.scale in ("b", "bn", "billion", "亿") and reading.gap(unit.start, unit.end) == "class"


def _counts_cards(reading: Reading, unit: Match) -> bool:
    """两块4090 counts cards, 两块钱 is money: 块 says which by what it stands beside."""
    if reading.gap(unit.start, unit.end) != "块":
        return False
    if reading.before(unit.start, "gpu", 4) is not None:
        return True
    following = number_at(reading.tokens, unit.end) if unit.end < len(reading.tokens) else None
    is_memory = following is not None and _starting(reading, following.end, ("unit",)) is not None
    return is_memory or reading.after(unit.end, "gpu", 2) is not None


def _is_device_time(reading: Reading, unit: Match) -> bool:
    """ "2 GPU hours", "两个 GPU 小时": time on a device, not so many devices."""
    following = [token.text for token in reading.tokens[unit.end : unit.end + 2]]
    following = following[1:] if following[:1] == ["-"] else following
    return bool(following) and (
        following[0] in _DEVICE_TIME or reading.gap(unit.end, unit.end + 2) in ("小 时", "分 钟")
    )


def _counts_other_sheets(reading: Reading, unit: Match) -> bool:
    """一张明天的高铁票: 张 counts whatever is flat, and cards only where nothing else is named."""
    if reading.gap(unit.start, unit.end) not in ("张", "片", "个"):
        return False
    return reading.after(unit.end, "sheet", _SHEET_REACH) is not None and not reading.after(
        unit.end, "gpu", 4
    )


def _bound(reading: Reading, start: int, end: int) -> tuple[Bound, int]:
    before = _bound_before(reading, start)
    if before is not None:
        flips = reading.is_negated(before[1])
        return (_FLIPPED[before[0]] if flips else before[0]), end
    for category, bound in _BOUNDS:
        match = _bound_after(reading, end, category)
        if match is not None and not _belongs_to_next(reading, end, match, category):
            return bound, match.end
    return "exact", end


def _belongs_to_next(reading: Reading, end: int, match: Match, category: str) -> bool:
    """ "Two cards, at most 8B": what may stand before its number as well is of the one that follows it."""
    may_lead = any((m.start, m.end) == (match.start, match.end) for m in reading.all(category, "before"))
    return _has_number(reading, end, match.end + 1 if may_lead or match.value != "after" else match.start)


def _bound_after(reading: Reading, end: int, category: str) -> Match | None:
    """The nearest bound that may follow its number, whatever else its words may mean."""
    return next(
        (
            match
            for match in reading.all(category, "after")
            if 0 <= match.start - end < _BOUND_REACH and reading.same_clause(end, match.start)
        ),
        None,
    )


def _bound_before(reading: Reading, start: int) -> tuple[Bound, int] | None:
    near = [
        (match.end, bound, match.start)
        for category, bound in _BOUNDS
        if (match := reading.before(start, category, _BOUND_REACH)) and _may_lead(reading, match)
        if not _has_number(reading, match.end, start)
    ]
    if not near:
        return _named_limit(reading, start)
    _, bound, position = max(near)
    return bound, position


def _may_lead(reading: Reading, match: Match) -> bool:
    """Stands before its number; so does the "and below" of "MIT and below 15B", which else follows one."""
    opens = reading.gap(match.start, match.start + 1) == "and" and not _has_number(
        reading, match.start - 2, match.start
    )
    return match.value == "before" or opens


def _named_limit(reading: Reading, start: int) -> tuple[Bound, int] | None:
    """ "The latency limit can be 5 s", "size cap: 9B", "显存上限改到 16G": what leads from its name to its value."""
    for match in reversed([*reading.all("ceiling"), *reading.all("limit_word")]):
        leads = reading.tokens[match.end : start]
        is_before = match.end <= start and len(leads) <= _LIMIT_REACH
        if is_before and all(token.text in words("units", "copulas") for token in leads):
            return "max", match.start
    return None


def _has_number(reading: Reading, start: int, end: int) -> bool:
    return any(token.is_number for token in reading.tokens[start:end])


def _with_ranges(reading: Reading, found: list[Quantity]) -> Iterator[Quantity]:
    """Give both ends of "7-14B" and "3B 到 8B" their unit and bound."""
    at = 0
    while at < len(found):
        if at + 1 < len(found) and _is_range(reading, found[at], found[at + 1]):
            yield from _range(found[at], found[at + 1])
            at += 2
        else:
            yield found[at]
            at += 1


def _corrected(reading: Reading, found: list[Quantity]) -> Iterator[Quantity]:
    """ "16 GB was wrong, it's 24", "16G写错了，是24": the second is what the first should have been."""
    at = 0
    while at < len(found):
        quantity, right = found[at], found[at + 1] if at + 1 < len(found) else None
        if right is not None and _puts_right(reading, quantity, right):
            value = right.value * quantity.factor
            quantity = replace(quantity, value=value, start=right.start, end=right.end, is_negated=False)
            at += 1
        yield quantity
        at += 1


def _puts_right(reading: Reading, wrong: Quantity, right: Quantity) -> bool:
    verdict = reading.after(wrong.end, "mistaken", _BOUND_REACH)
    is_bare = right.unit is None and right.scale is None
    return verdict is not None and is_bare and 0 <= right.start - verdict.end <= _PUT_RIGHT_REACH


def _is_range(reading: Reading, low: Quantity, high: Quantity) -> bool:
    between = reading.gap(low.end, high.start)
    if not (low.unit is None or (low.unit, low.is_money) == (high.unit, high.is_money)):
        return False
    if between in ("and", "和"):
        return reading.before(low.start, "between", 1) is not None
    return between in ("to", "-", "~", "到", "至")


def _range(low: Quantity, high: Quantity) -> Sequence[Quantity]:
    if low.unit is None:
        factor = high.factor if low.scale is None else 1.0
        low = replace(low, value=low.value * factor, unit=high.unit, scale=high.scale, is_money=high.is_money)
    low, high = sorted((low, high), key=lambda quantity: quantity.value)
    return replace(low, bound="min"), replace(high, bound="max")


def _starting(reading: Reading, position: int, categories: tuple[str, ...]) -> Match | None:
    found = [m for category in categories if (m := reading.at(position, category))]
    return max(found, key=lambda match: match.end, default=None)


def _ending(reading: Reading, position: int, categories: tuple[str, ...]) -> Match | None:
    found = [m for category in categories for m in reading.all(category) if m.end == position]
    return min(found, key=lambda match: match.start, default=None)
