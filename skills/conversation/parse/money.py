"""Read prices, budgets and volumes: "$0.50 per million tokens", "每月 2000 元", "50M tokens a month"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from skills.conversation.parse.lexicon import load
from skills.conversation.parse.pace import end_of_traffic
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.quantities import Quantity
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.units import usd

_MTOK = 1_000_000
_ONE_OF_THESE_IS_A_PRICE_BASE = (1_000.0, 1_000_000.0)
_LEAST_BUDGET = 10
_NOT_THERE_WITHIN = 6
_REACH_AFTER = 3
_REACH_BEFORE = 7
_SHORT_PERIODS = frozenset({"hour", "minute", "second", "request"})


@dataclass(frozen=True, slots=True)
class Money:
    """What a turn says about money and volume, and the quantities that it says it with."""

    fields: dict[str, Any]
    used: frozenset[Quantity]


def read_money(reading: Reading, quantities: Sequence[Quantity]) -> Money:
    """`max_usd_per_mtok`, `budget_usd_per_month` and `tokens_per_month`, as far as they are stated."""
    fields: dict[str, Any] = {}
    used: set[Quantity] = set()
    amounts = list(_amounts(reading, quantities))
    bases = [base for amount in amounts if (base := _price_base(reading, quantities, amount))]
    for amount in amounts:
        used.add(amount)
        base = _price_base(reading, quantities, amount)
        if base is None and bases and amount.bound == "max" and _period(reading, amount) is None:
            base = bases[-1]
        if base is not None:
            used |= base.used
        if _is_what_they_pay(reading, amount, amounts):
            continue
        if base is not None:
            fields["max_usd_per_mtok"] = _rounded(usd(amount) * _MTOK / base.tokens)
        elif (budget := monthly_usd(reading, amount)) is not None:
            fields["budget_usd_per_month"] = _rounded(budget)
    volume = _volume(
        reading, [q for q in quantities if q not in used], has_budget="budget_usd_per_month" in fields
    )
    return Money(fields | volume.fields, frozenset(used) | volume.used)


def read_spending(reading: Reading, quantities: Sequence[Quantity]) -> float | None:
    """Dollars that one job may cost: "for at most 5 dollars", "最多花 5 美元". A price and a budget a month are none."""
    for amount in quantities:
        if not amount.is_money or amount.is_negated or amount.bound == "min" or amount.value <= 0:
            continue
        if _price_base(reading, quantities, amount) is None and _period(reading, amount) is None:
            return _rounded(usd(amount))
    return None


def _amounts(reading: Reading, quantities: Sequence[Quantity]) -> Iterator[Quantity]:
    """Sums of money. A budget without a currency is in the one that goes with the language."""
    for quantity in quantities:
        if quantity.is_negated or _is_not_there(reading, quantity):
            continue
        if quantity.is_money:
            yield quantity
        elif _is_bare_sum(reading, quantity):
            yield replace(quantity, unit="cny" if reading.language == "zh" else "usd", is_money=True)


def _is_not_there(reading: Reading, quantity: Quantity) -> bool:
    """ "一分钱预算都没有"."""
    following = reading.gap(quantity.end, quantity.end + _NOT_THERE_WITHIN)
    return any(denial in following for denial in ("都 没", "也 没"))


def _is_what_they_pay(reading: Reading, amount: Quantity, amounts: Sequence[Quantity]) -> bool:
    """ "We pay $2 now and want less than $1": the first is no limit."""
    cue = reading.before(amount.start, "paid_now", 4) or reading.after(amount.end, "paid_now", 6)
    if cue is None or amount.bound == "max":
        return False
    return cue.value == "pay" or any(other.bound == "max" for other in amounts if other is not amount)


def _is_bare_sum(reading: Reading, quantity: Quantity) -> bool:
    """ "budget 500", "price below 0.3 per million": no currency, but nothing else it could be."""
    if quantity.unit is not None:
        return False
    if reading.has("aspect", "cost") and reading.after(quantity.end, "per_tokens", 0):
        return True
    return quantity.value >= _LEAST_BUDGET and _follows_budget(reading, quantity)


def _follows_budget(reading: Reading, quantity: Quantity) -> bool:
    """ "Budget 500", "年预算十万", "10k a year budget"."""
    word = reading.before(quantity.start, "budget_word", 4) or _budget_after(reading, quantity)
    if word is not None and reading.gap(word.start, word.end) in ("budget", "预 算"):
        return True
    period = reading.before(quantity.start, "period", 2)
    return period is not None and reading.gap(period.start, period.end).endswith("预 算")


def _budget_after(reading: Reading, quantity: Quantity) -> Match | None:
    period = reading.at(quantity.end, "period")
    return reading.after(period.end if period else quantity.end, "budget_word", 0)


@dataclass(frozen=True, slots=True)
class _Base:
    tokens: float
    used: frozenset[Quantity] = frozenset()


def _price_base(reading: Reading, quantities: Sequence[Quantity], amount: Quantity) -> _Base | None:
    """How many tokens an amount pays for: "per million tokens", "百万 token 2 元"."""
    within = (m for m in reading.all("per_tokens") if amount.start < m.start < amount.end)
    phrase = next(within, None)
    phrase = (
        phrase or reading.after(amount.end, "per_tokens", 4) or reading.before(amount.start, "per_tokens", 5)
    )
    if phrase is not None:
        return _Base(float(phrase.value))
    for quantity in quantities:
        distance = max(quantity.start - amount.end, amount.start - quantity.end)
        is_base = quantity.unit == "token" and quantity.value in _ONE_OF_THESE_IS_A_PRICE_BASE
        if is_base and distance <= 4 and _period(reading, quantity) is None:
            return _Base(quantity.value, frozenset({quantity}))
    return None


def monthly_usd(reading: Reading, amount: Quantity) -> float | None:
    """Dollars a month. A budget without a period is taken as a monthly one."""
    period = _period(reading, amount)
    if period is None:
        word = reading.before(amount.start, "budget_word", 5) or reading.after(amount.end, "budget_word", 3)
        is_limit = word is not None and (amount.bound == "max" or not _is_price_word(reading, word))
        return usd(amount) if is_limit else None
    if period.value in _SHORT_PERIODS:
        return None
    return usd(amount) * _months(period)


def _is_price_word(reading: Reading, word: Match) -> bool:
    """ "Our server cost 40,000": what something cost is no budget, "it may cost at most 500" is."""
    return reading.gap(word.start, word.end) in ("cost", "costs", "pay", "花", "成本", "费用")


def _volume(reading: Reading, quantities: Sequence[Quantity], *, has_budget: bool) -> Money:
    """Tokens a month, said directly or as requests times tokens a request."""
    tokens = [q for q in quantities if q.unit == "token" and not q.is_negated]
    by_requests = _requests(reading, quantities, tokens)
    if by_requests is not None:
        return by_requests
    for quantity in tokens:
        period = _period(reading, quantity)
        if period is not None and period.value not in _SHORT_PERIODS:
            return Money(
                {"tokens_per_month": _rounded(quantity.value * _months(period))}, frozenset({quantity})
            )
    large = [q for q in tokens if q.value >= _MTOK and not reading.near(q.start, q.end, "context_word", 4)]
    if has_budget and large:
        return Money({"tokens_per_month": large[0].value}, frozenset(large[:1]))
    speeds = frozenset(q for q in tokens if _period(reading, q) is not None)
    return Money({}, speeds)


def _requests(reading: Reading, quantities: Sequence[Quantity], tokens: Sequence[Quantity]) -> Money | None:
    coming = (q for q in quantities if end_of_traffic(reading, q) is not None)
    requests = next((q for q in coming if _period(reading, q)), None)
    if requests is None or not tokens:
        return None
    period = _period(reading, requests)
    months = _months(period) if period and period.value not in ("request",) else 0.0
    each = tokens[0]
    return (
        Money({"tokens_per_month": _rounded(requests.value * months * each.value)}, frozenset({each}))
        if months
        else None
    )


def _period(reading: Reading, quantity: Quantity) -> Match | None:
    """ "a month" after the quantity, or "每月" and "monthly" before it, nearest first."""
    inside = [m for m in reading.all("period") if quantity.start <= m.start and m.end <= quantity.end]
    if inside:
        return inside[0]
    after = reading.after(quantity.end, "period", _REACH_AFTER)
    if after is not None and not _has_quantity_between(reading, quantity.end, after.start):
        return after
    before = reading.before(quantity.start, "period", _REACH_BEFORE)
    return before if before and not _has_quantity_between(reading, before.end, quantity.start) else None


def _has_quantity_between(reading: Reading, start: int, end: int) -> bool:
    return any(token.is_number for token in reading.tokens[start:end])


def _months(period: Match) -> float:
    return float(load("units")["constants"]["months_per"][period.value])


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
