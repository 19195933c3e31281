"""Find texts that hold personal data, by the shapes that such data have in English and Chinese.

Names and addresses have no shape and are not found: this is a flag for a person to look, not a filter to trust.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypedDict

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
        for kind, holds in _KINDS.items():
            if holds(text):
                rows.setdefault(kind, []).append(number)
    return {
        kind: {"rows": len(numbers), "first_rows": numbers[:_MOST_ROWS_NAMED]}
        for kind, numbers in sorted(rows.items())
    }


def _any(pattern: str, check: Callable[[str], bool] = bool) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: any(check(match.group()) for match in compiled.finditer(text))


def _is_card(digits: str) -> bool:
    """Luhn's sum (ISO/IEC 7812-1)."""
    numbers = [int(digit) for digit in digits if digit.isdigit()]
    doubled = [n if i % 2 == 0 else n * 2 - 9 * (n > 4) for i, n in enumerate(reversed(numbers))]
    return len(set(numbers)) > 1 and sum(doubled) % 10 == 0


def _is_chinese_id(text: str) -> bool:
    """The last of the 18 characters checks the others (GB 11643-1999)."""
    total = sum(int(digit) * weight for digit, weight in zip(text[:17], _ID_WEIGHTS, strict=True))
    return text[17].upper() == _ID_CHECKS[total % 11]


_KINDS: dict[str, Callable[[str], bool]] = {
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
