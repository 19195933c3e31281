"""Spans of time, read on Wednesday, 14 January 2026."""

from __future__ import annotations

from datetime import date

import pytest

from skills.conversation.parse.composed import read_message
from skills.conversation.parse.periods import read_period

TODAY = date(2026, 1, 14)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("what did we test today", "2026-01-14", "2026-01-14"),
        ("昨天测了什么", "2026-01-13", "2026-01-13"),
        ("this week", "2026-01-12", "2026-01-14"),
        ("上周", "2026-01-05", "2026-01-11"),
        ("本月的评测结果", "2026-01-01", "2026-01-14"),
        ("last month", "2025-12-01", "2025-12-31"),
        ("in the last 7 days", "2026-01-07", "2026-01-14"),
        ("the past two weeks", "2025-12-31", "2026-01-14"),
        ("过去三天", "2026-01-11", "2026-01-14"),
        ("since 2026-01-05", "2026-01-05", "2026-01-14"),
        ("since Monday", "2026-01-12", "2026-01-14"),
        ("since 20 December", "2025-12-20", "2026-01-14"),
        ("since last week", "2026-01-05", "2026-01-14"),
        ("1月5日以来", "2026-01-05", "2026-01-14"),
        ("2025年12月20日", "2025-12-20", "2025-12-20"),
        ("in November", "2025-11-01", "2025-11-30"),
        ("in May", "2025-05-01", "2025-05-31"),
    ],
)
def test_a_span_of_time_is_its_first_and_last_day(text: str, first: str, last: str) -> None:
    period = read_period(read_message(text).tokens, TODAY)
    assert period is not None
    assert (period.first.isoformat(), period.last.isoformat()) == (first, last)


@pytest.mark.parametrize(
    "text", ["what have we measured so far", "may I see it", "2026-13-45", "最近测过什么"]
)
def test_no_span_of_time_is_invented(text: str) -> None:
    assert read_period(read_message(text).tokens, TODAY) is None
