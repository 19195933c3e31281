"""Sentences about choosing a base to fine-tune by small runs: whether a turn is one, and what it says of a race."""

from __future__ import annotations

import re

_TUNED = r"(?:fine-?\s?tun\w*|tun(?:e|ed|ing)\b)"
_ASKS = re.compile(
    rf"\b(?:which|what|best)\b[^.?!]*\bbases?\b[^.?!]*{_TUNED}"
    rf"|\b(?:which|what|best)\b[^.?!]*{_TUNED}[^.?!]*\bbases?\b"
    rf"|\b(?:best|better)\s+(?:once|after|when)\b[^.?!]{{0,20}}{_TUNED}"
    rf"|\b(?:which|what)\b[^.?!]*\bbases?\b[^.?!]*\b(?:after|once)\b[^.?!]{{0,20}}{_TUNED}"
    r"|(?:哪(?:个|一个|款|种)|选(?:择|哪)?)[^。？！]{0,12}(?:底座|基座|基础模型|基底)[^。？！]{0,24}(?:微调|精调|调优)"
    r"|(?:微调|精调|调优)[^。？！]{0,6}(?:哪(?:个|一个|款))[^。？！]{0,4}(?:底座|基座|基础模型)"
    r"|(?:哪(?:个|一个|款))[^。？！]{0,16}(?:微调|精调|调优)(?:后|之后|完|以后)[^。？！]{0,4}(?:最好|最优|更好|最强|最佳)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\bselection\s*#?\s*(\d{1,9})\b|(?:底座|基座)?选型\s*#?\s*(\d{1,9})", re.IGNORECASE)
_RECORD = re.compile(
    r"\b(?:record|history|list|track record)\b[^.?!]*\b(?:predictions?|base selections?)\b"
    r"|\bhow (?:good|accurate|right)\b[^.?!]*\bpredictions?\b|\bpredictions?\b[^.?!]*\bcome true\b"
    r"|预测(?:的)?(?:记录|历史)|选型(?:的)?(?:记录|历史|列表)|预测[^。？！]{0,6}(?:准不准|准吗|准确吗|有多准|得准)",
    re.IGNORECASE,
)
_STOP = re.compile(r"\b(?:stop|cancel|abort|end)\b|停止|取消|中止|终止|停掉", re.IGNORECASE)
_TUNE = re.compile(rf"{_TUNED}|微调", re.IGNORECASE)
_TIME = re.compile(
    r"(\d+(?:\.\d+)?)\s*-?\s*(?:gpu[\s-]?|device[\s-]?|个)?\s*(hours?|hrs?|h\b|小时|minutes?|mins?|分钟)",
    re.IGNORECASE,
)
_MINUTE_S, _HOUR_S = 60.0, 3600.0


def is_about_bases(text: str) -> bool:
    """Whether the turn asks which base to fine-tune, or is about such a race or its predictions."""
    return any(pattern.search(text) for pattern in (_ASKS, _NUMBER, _RECORD))


def wants_record(text: str) -> bool:
    """Whether the turn asks what was predicted, and what came true."""
    return _RECORD.search(text) is not None


def selection_number(text: str) -> str | None:
    """The race that the turn names."""
    found = _NUMBER.search(text)
    return (found[1] or found[2]) if found else None


def wants_stop(text: str) -> bool:
    """Whether the race named should end."""
    return _STOP.search(text) is not None


def wants_tuning(text: str) -> bool:
    """Whether the winner of the race named should be tuned in full."""
    return _TUNE.search(text) is not None


def budget_s(text: str) -> float | None:
    """The device time that the turn allows."""
    found = _TIME.search(text)
    if found is None:
        return None
    return float(found[1]) * (_HOUR_S if found[2].casefold().startswith(("h", "小")) else _MINUTE_S)
