"""Find texts that hold personal data, by the shapes that such data have in English and Chinese.

Names and addresses have no shape and are not found: this is a flag for a person to look, not a filter to trust.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypedDict

from index.bilingual import Bilingual

_MOST_ROWS_NAMED = 5
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"


class Found(TypedDict):
    """Where one kind occurs."""

    rows: int
    first_rows: list[int]


def personal_data(texts: Iterable[str]) -> dict[str, Found]:
    """For each kind that occurs: how many texts hold it, and the numbers of the first, counted from 1."""
    rows: dict[str, list[int]] = {}
    for number, text in enumerate(texts, start=1):
        for kind, (pattern, check) in _PATTERNS.items():
            if any(check(match.group()) for match in pattern.finditer(text)):
                rows.setdefault(kind, []).append(number)
    return {
        kind: {"rows": len(numbers), "first_rows": numbers[:_MOST_ROWS_NAMED]}
        for kind, numbers in sorted(rows.items())
    }


class Scan:
    """All values of a data set, one after the other: how many records hold what, and each value under a number.

    One value has one number in the whole set, so rows that were about one customer still are.
    """

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()
        self._numbers: dict[str, dict[str, int]] = {}

    def record(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record with `[phone number 2]` in place of what was found; names of columns stay."""
        found: set[str] = set()
        redacted = {name: self._value(value, found) for name, value in record.items()}
        self.records.update(found)
        return redacted

    def told(self) -> Bilingual:
        """`mail address in 3 rows, …`."""
        kinds = sorted(self.records.items())
        return Bilingual(
            ", ".join(f"{kind} in {rows} {'row' if rows == 1 else 'rows'}" for kind, rows in kinds),
            "、".join(f"{_ZH[kind]}（{rows} 行）" for kind, rows in kinds),
        )

    def _value(self, value: Any, found: set[str]) -> Any:
        if isinstance(value, str):
            return self._text(value, found)
        if isinstance(value, dict):
            return {name: self._value(inner, found) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._value(inner, found) for inner in value]
        if isinstance(value, int) and not isinstance(value, bool):
            text = self._text(str(value), found)
            return value if text == str(value) else text
        return value

    def _text(self, text: str, found: set[str]) -> str:
        for kind in _ORDER:
            pattern, check = _PATTERNS[kind]
            text = pattern.sub(lambda match, k=kind, c=check: self._name(k, match.group(), c, found), text)  # type: ignore[misc]
        return text

    def _name(self, kind: str, value: str, check: Callable[[str], bool], found: set[str]) -> str:
        if not check(value):
            return value
        found.add(kind)
        numbers = self._numbers.setdefault(kind, {})
        return f"[{kind} {numbers.setdefault(value, len(numbers) + 1)}]"


def _any(pattern: str, check: Callable[[str], bool] = bool) -> tuple[re.Pattern[str], Callable[[str], bool]]:
    return re.compile(pattern), check


def _is_card(digits: str) -> bool:
    """Luhn's sum (ISO/IEC 7812-1)."""
    numbers = [int(digit) for digit in digits if digit.isdigit()]
    doubled = [n if i % 2 == 0 else n * 2 - 9 * (n > 4) for i, n in enumerate(reversed(numbers))]
    return len(set(numbers)) > 1 and sum(doubled) % 10 == 0


def _is_chinese_id(text: str) -> bool:
    """The last of the 18 characters checks the others (GB 11643-1999)."""
    total = sum(int(digit) * weight for digit, weight in zip(text[:17], _ID_WEIGHTS, strict=True))
    return text[17].upper() == _ID_CHECKS[total % 11]


_PATTERNS: dict[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    "mail address": _any(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}"),
    "phone number": _any(
        r"(?<![\w.])(?:\+\d{1,3}[ -]?(?:\(\d{1,4}\)[ -]?)?\d(?:[ -]?\d){6,11}|1[3-9]\d{9}|\(\d{3}\) ?\d{3}-\d{4}"
        r"|\d{3}-\d{3}-\d{4}|0\d{2,3}-\d{7,8})(?!\w)"
    ),
    "card number": _any(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w.])", _is_card),
    "Chinese ID number": _any(r"(?<!\d)[1-9]\d{5}(?:19|20)\d{9}[\dXx](?!\w)", _is_chinese_id),
    "US social security number": _any(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])"),
    "IBAN": _any(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"),
    "IP address": _any(
        r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.])"
    ),
}
_ORDER = (
    "mail address", "IBAN", "Chinese ID number", "card number", "US social security number", "phone number", "IP address",
)  # fmt: skip
"""The longest shapes first: a part of a card number looks like a phone number."""
_ZH = {
    "mail address": "电子邮箱",
    "phone number": "电话号码",
    "card number": "银行卡号",
    "Chinese ID number": "身份证号",
    "US social security number": "美国社会保障号",
    "IBAN": "IBAN",
    "IP address": "IP 地址",
}
