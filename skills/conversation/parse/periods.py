"""Read a span of time: "last week", "past 7 days", "since 5 January", "上个月" -> first and last day.

The clock is handed in, so that the same words can be read on any day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from index.bilingual import Bilingual
from skills.conversation.parse.numbers import number_at
from skills.conversation.parse.phrases import Match, phrasebook_of
from skills.conversation.parse.text import Token

_ANY_DAY = date(2001, 1, 1)
_DAYS = {"day": 1, "week": 7, "month": 30}
_DATE_MARKS = frozenset("-/.年月日号")
_FIRST_YEAR = 2000
_LAST_DAY_OF_MONTH = 31
_MONTHS = 12
_LONGEST_DAYS = 36_500
_BEFORE_MAY = frozenset({"in", "since", "of", "last"})
""" "May" alone is more often a verb."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days from the first to the last, both included."""

    first: date
    last: date

    def covers(self, at_utc: str) -> bool:
        """Whether a moment, as the store keeps it, falls into it."""
        return self.first.isoformat() <= at_utc[:10] <= self.last.isoformat()

    @property
    def in_words(self) -> Bilingual:
        """ "from 2026-01-05 to 2026-01-11"."""
        if self.first == self.last:
            return Bilingual(f"on {self.first}", f"{self.first}")
        return Bilingual(f"from {self.first} to {self.last}", f"{self.first} 至 {self.last}")


def read_period(tokens: Sequence[Token], today: date) -> Period | None:
    """The first span of time that is named, or None."""
    matches = phrasebook_of("periods").find(tokens)
    spans = (*_named(matches, today), *_counted(tokens, matches, today), *_dates(tokens, matches, today))
    found = next((period for period in spans if period), None)
    is_open = any(match.category in ("since_before", "since_after") for match in matches)
    return Period(found.first, max(found.first, today)) if found and is_open else found


def names_period(tokens: Sequence[Token]) -> bool:
    """Whether a span of time is named at all."""
    return read_period(tokens, _ANY_DAY) is not None


def period_positions(tokens: Sequence[Token]) -> set[int]:
    """The tokens that can belong to a span of time."""
    matches = phrasebook_of("periods").find(tokens)
    numbers = {i for i, token in enumerate(tokens) if token.is_number or token.text in _DATE_MARKS}
    return numbers | {i for match in matches for i in range(match.start, match.end)}


def _named(matches: Sequence[Match], today: date) -> Iterator[Period]:
    """ "yesterday", "this month": spans with a name of their own. A week begins on Monday."""
    monday, first = today - timedelta(days=today.weekday()), today.replace(day=1)
    yesterday, last_first = today - timedelta(days=1), (first - timedelta(days=1)).replace(day=1)
    spans = {
        "today": Period(today, today),
        "yesterday": Period(yesterday, yesterday),
        "this_week": Period(monday, today),
        "last_week": Period(monday - timedelta(days=7), monday - timedelta(days=1)),
        "this_month": Period(first, today),
        "last_month": Period(last_first, first - timedelta(days=1)),
        "this_year": Period(today.replace(month=1, day=1), today),
    }
    yield from (spans[match.value] for match in matches if match.category == "period")


def _counted(tokens: Sequence[Token], matches: Sequence[Match], today: date) -> Iterator[Period]:
    """ "last 7 days", "过去三天", "past month"."""
    units = {match.start: match.value for match in matches if match.category == "unit"}
    for lead in (match for match in matches if match.category == "last_n"):
        number = number_at(tokens, lead.end) if lead.end < len(tokens) else None
        unit = units.get(number.end if number else lead.end)
        days = (number.value if number else 1.0) * _DAYS.get(unit or "", 0)
        if 1 <= days <= _LONGEST_DAYS:
            yield Period(today - timedelta(days=int(days)), today)


def _dates(tokens: Sequence[Token], matches: Sequence[Match], today: date) -> Iterator[Period]:
    """Days and months of the calendar, without a year those that were last."""
    yield from _in_digits(tokens, today)
    for match in matches:
        if match.category == "weekday":
            day = today - timedelta(days=(today.weekday() - int(match.value)) % 7)
            yield Period(day, day)
        elif match.category == "month_name":
            yield from _by_month_name(tokens, match, today)


def _in_digits(tokens: Sequence[Token], today: date) -> Iterator[Period]:
    """2026-01-05, 2026/1/5, 2026年1月5日, 1月5日, 1月."""
    texts = [token.text for token in tokens]
    for i, text in enumerate(texts):
        tail = texts[i : i + 5] + [""] * 5
        if not text.isdecimal():
            continue
        if int(text) >= _FIRST_YEAR and tail[1] in _DATE_MARKS and tail[2].isdecimal():
            yield from _span(int(text), int(tail[2]), int(tail[4]) if tail[4].isdecimal() else None, today)
        elif tail[1] == "月":
            yield from _span(None, int(text), int(tail[2]) if tail[2].isdecimal() else None, today)


def _by_month_name(tokens: Sequence[Token], month: Match, today: date) -> Iterator[Period]:
    """ "5 January", "Jan 5th, 2026", "in May"."""
    near = [tokens[i].text for i in range(max(0, month.start - 2), min(len(tokens), month.end + 4))]
    numbers = [int(text) for text in near if text.isdecimal()]
    day = next((n for n in numbers if 1 <= n <= _LAST_DAY_OF_MONTH), None)
    year = next((n for n in numbers if n >= _FIRST_YEAR), None)
    before = tokens[month.start - 1].text if month.start else ""
    if month.value != "5" or day or year or before in _BEFORE_MAY:
        yield from _span(year, int(month.value), day, today)


def _span(year: int | None, month: int, day: int | None, today: date) -> Iterator[Period]:
    """One day, or one month; nothing when there is no such day."""
    if not 1 <= month <= _MONTHS:
        return
    try:
        first = date(year or today.year, month, day or 1)
        if year is None and first > today:
            first = first.replace(year=today.year - 1)
    except ValueError:
        return
    following = date(first.year + month // _MONTHS, month % _MONTHS + 1, 1)
    yield Period(first, first if day else following - timedelta(days=1))
