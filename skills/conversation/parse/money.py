"""Read prices, budgets and volumes: "$0.50 per million tokens", "每月 2000 元", "50M tokens a month"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from skills.conversation.parse.lexicon import words
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.quantities import Quantity
from skills.conversation.parse.rates import SHORT_PERIODS, months, period_of
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.units import usd
from skills.conversation.parse.volume import read_volume

_MTOK = 1_000_000
_ONE_OF_THESE_IS_A_PRICE_BASE = (1_000.0, 1_000_000.0)
_LEAST_BUDGET = 10
_BUDGET_REACH = 4
_VOLUME_REACH = 8
_PERSON_REACH = 6
_EACH_SPAN = frozenset("每一全半按")
_NOT_THERE_WITHIN = 6


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
        if (
            base is None
            and bases
            and amount.bound == "max"
            and period_of(reading, amount.start, amount.end) is None
        ):
            base = bases[-1]
        if base is not None:
            used |= base.used
        if _is_what_they_pay(reading, amount, amounts):
            continue
        if base is not None:
            fields["max_usd_per_mtok"] = _rounded(usd(amount) * _MTOK / base.tokens)
        elif (budget := monthly_usd(reading, amount)) is not None:
            payers = _payers(reading, quantities, amount)
            if payers:
                fields["budget_usd_per_month"] = _rounded(budget * payers)
    unpaid = [quantity for quantity in quantities if quantity not in used]
    volume = read_volume(reading, unpaid, has_budget="budget_usd_per_month" in fields)
    if volume.tokens_per_month:
        fields["tokens_per_month"] = _rounded(volume.tokens_per_month)
    return Money(fields, frozenset(used) | volume.used)


def _payers(reading: Reading, quantities: Sequence[Quantity], amount: Quantity) -> float:
    """For how many an amount is paid: "$15 per seat" for 40 seats; 0 where nobody says how many seats."""
    people = [q for q in quantities if q.unit == "person" or _is_of_people(reading, q)]
    is_each = people and reading.after(amount.end, "each", 1) is not None
    is_per_person = reading.near(amount.start, amount.end, "per_person", _PERSON_REACH) is not None
    if not is_per_person and not is_each:
        return 1
    return people[0].value if people else 0


def _is_of_people(reading: Reading, quantity: Quantity) -> bool:
    """ "40 support agents"."""
    noun = reading.after(quantity.end, "unit", 1) if quantity.unit is None else None
    return noun is not None and noun.value == "person"


def read_spending(reading: Reading, quantities: Sequence[Quantity]) -> float | None:
    """Dollars that one job may cost: "for at most 5 dollars", "最多花 5 美元". A price and a budget a month are none."""
    for amount in quantities:
        if not amount.is_money or amount.is_negated or amount.bound == "min" or amount.value <= 0:
            continue
        if (
            _price_base(reading, quantities, amount) is None
            and period_of(reading, amount.start, amount.end) is None
        ):
            return _rounded(usd(amount))
    return None


def _amounts(reading: Reading, quantities: Sequence[Quantity]) -> Iterator[Quantity]:
    """Sums of money. A budget without a currency is in the one that goes with the language."""
    low = None
    for quantity in quantities:
        if quantity.is_negated or _is_not_there(reading, quantity):
            continue
        is_end_of_range = low is not None and quantity.bound == "max" and quantity.unit is None
        if quantity.is_money:
            yield quantity
        elif is_end_of_range or _is_bare_sum(reading, quantity):
            low = quantity if quantity.bound == "min" else None
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
    is_of_budget = _follows_budget(reading, quantity) or _is_by_the_year(reading, quantity)
    return quantity.value >= _LEAST_BUDGET and is_of_budget


def _follows_budget(reading: Reading, quantity: Quantity) -> bool:
    """ "Budget 500", "年预算十万", "10k a year budget"."""
    if reading.before(quantity.start, "whole_budget", _BUDGET_REACH) or _budget_after(reading, quantity):
        return True
    period = reading.before(quantity.start, "period", 2)
    return period is not None and reading.gap(period.start, period.end).endswith("预 算")


def _budget_after(reading: Reading, quantity: Quantity) -> Match | None:
    period = reading.at(quantity.end, "period")
    return reading.after(period.end if period else quantity.end, "whole_budget", 0)


def _is_by_the_year(reading: Reading, quantity: Quantity) -> bool:
    """ "每年三万", 一年五万左右: in Chinese the currency goes without saying, unless it counts what comes in."""
    if reading.language != "zh" or reading.near(quantity.start, quantity.end, "volume_word", _VOLUME_REACH):
        return False
    period = reading.before(quantity.start, "period", _BUDGET_REACH)
    is_closed = quantity.end == len(reading.tokens) or not reading.same_clause(quantity.end, quantity.end + 1)
    bounds = (reading.at(quantity.end, category) for category in ("at_most", "at_least", "about"))
    if period is None or reading.tokens[period.start].text not in _EACH_SPAN:
        return False
    is_long = period.value not in (*SHORT_PERIODS, "day", "week")
    return is_long and (
        is_closed or any(bounds) or reading.tokens[quantity.end].text in words("units", "after_a_sum")
    )


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
        if is_base and distance <= 4 and period_of(reading, quantity.start, quantity.end) is None:
            return _Base(quantity.value, frozenset({quantity}))
    return None


def monthly_usd(reading: Reading, amount: Quantity) -> float | None:
    """Dollars a month. A budget without a period is taken as a monthly one."""
    period = period_of(reading, amount.start, amount.end)
    if period is None:
        word = reading.before(amount.start, "budget_word", 5) or reading.after(amount.end, "budget_word", 3)
        is_most = amount.bound == "max" and usd(amount) >= _LEAST_BUDGET
        is_limit = is_most or (word is not None and not _is_price_word(reading, word))
        return usd(amount) if is_limit else None
    if period.value in SHORT_PERIODS:
        return None
    return usd(amount) * months(period)


def _is_price_word(reading: Reading, word: Match) -> bool:
    """ "Our server cost 40,000": what something cost is no budget, "it may cost at most 500" is."""
    return reading.gap(word.start, word.end) in ("cost", "costs", "pay", "花", "成本", "费用")


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
