# ruff: noqa: E501 - tables of words read better on one line
"""Text -> the quantities in it, with unit and the digits shown; and whether one quantity is the rounding of another.

Understands 16.4 GiB, 17.6 GB, 53%, 百分之五十三, $0.10 per million tokens, 7B, 128k (128,000 or 131,072), 4.1万,
8,192, dates. A number that is part of a name (int8, H100) is no quantity: names are checked elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_K = 1024.0
_UNITS: tuple[tuple[str, str, float], ...] = (
    (r"tib", "bytes", _K**4),
    (r"gib", "bytes", _K**3),
    (r"mib", "bytes", _K**2),
    (r"kib", "bytes", _K),
    (r"tb(?!ps)", "bytes", 1e12),
    (r"gb(?!ps)", "bytes", 1e9),
    (r"mb(?!ps)", "bytes", 1e6),
    (r"kb(?!ps)", "bytes", 1e3),
    (r"bytes?|字节", "bytes", 1.0),
    (r"%|％|percent(?:age points?)?|个百分点|pp", "percent", 1.0),
    (
        r"(?:tokens?|tok|词元)\s*(?:/\s*s(?:ec(?:ond)?)?|per second|a second)|(?:个\s*)?(?:tokens?|词元)每秒",
        "tokens/s",
        1.0,
    ),
    (r"(?:个\s*)?(?:tokens?|tok|词元)", "tokens", 1.0),
    (r"ms|milliseconds?|毫秒", "seconds", 1e-3),
    (r"seconds?|secs?|s|秒钟?", "seconds", 1.0),
    (r"minutes?|mins?|分钟", "seconds", 60.0),
    (r"gpu[- ]?hours?|hours?|hrs?|h|(?:个)?小时", "seconds", 3600.0),
    (r"days?|天", "seconds", 86400.0),
    (r"weeks?|周", "seconds", 604800.0),
    (r"months?|个月", "months", 1.0),
    (r"bits?|位", "bits", 1.0),
    (r"parameters?|params?|参数", "params", 1.0),
    (r"美元|usd|dollars?", "usd", 1.0),
    (r"美分|cents?", "usd", 0.01),
    (r"人民币|元|yuan|cny|rmb", "cny", 1.0),
    (r"euros?|eur|欧元", "eur", 1.0),
    (r"times|倍|(?<=\d)[x×](?!\s*\d)|[- ]?fold", "times", 1.0),
    (r"items?|rows?|examples?|samples?|questions?|条|行|份|项|次|遍", "items", 1.0),
    (r"gpus?|(?:graphics )?cards?|张|块", "gpus", 1.0),
    (r"models?|options?|candidates?|(?:个|款)(?:模型|选项|候选)|款", "models", 1.0),
    (r"layers?|层", "layers", 1.0),
    (r"benchmarks?|个?基准", "benchmarks", 1.0),
    (r"requests?|路", "requests", 1.0),
    (r"nats?", "nats", 1.0),
)
_HARD = frozenset(
    {
        "bytes",
        "percent",
        "usd",
        "tokens/s",
        "seconds",
        "bits",
        "params",
        "cny",
        "eur",
        "months",
        "times",
        "margin",
    }
)
"""Units that a bare number of the evidence does not have."""
_MULTIPLIERS: dict[str, tuple[float, ...]] = {
    "k": (1e3, _K), "千": (1e3,), "thousand": (1e3,), "万": (1e4,), "百万": (1e6,), "m": (1e6, _K**2), "million": (1e6,),
    "亿": (1e8,), "b": (1e9,), "bn": (1e9,), "billion": (1e9,), "trillion": (1e12,), "t": (1e12,),
}  # fmt: skip
_CURRENCIES = {"$": "usd", "¥": "cny", "￥": "cny", "€": "eur", "£": "gbp"}
_PER = (
    (r"(?:per|a|every|each|/)\s*(?:1\s*m|(?:one )?million|mtok|m)\s*(?:tok(?:en)?s?)?", "usd/mtok", 1.0),
    (r"(?:per|a|every|each|/)\s*(?:1\s*k|(?:one )?thousand|1,?000)\s*(?:tok(?:en)?s?)?", "usd/mtok", 1e3),
    (r"(?:/\s*)?每?百万\s*(?:个\s*)?(?:token|词元)", "usd/mtok", 1.0),
    (r"(?:/\s*)?每?千\s*(?:个\s*)?(?:token|词元)", "usd/mtok", 1e3),
    (r"(?:per|an|a|/)\s*(?:gpu[- ]?)?(?:hour|h)\b|/?\s*每?小时", "usd/h", 1.0),
    (r"(?:per|a|/)\s*month|/?\s*每?月", "usd/month", 1.0),
    (r"(?:per|a|/)\s*tok(?:en)?\b|每(?:个)?\s*(?:token|词元)", "usd/mtok", 1e6),
)
_PER_BEFORE = (
    (r"(?:cost /|/|per)\s*1?\s*(?:m|million) tokens?\W{0,3}", "usd/mtok"),
    (
        r"每百万\s*(?:个\s*)?(?:token|词元)\s*(?:的)?(?:成本|价格)?\W{0,3}(?:(?:约|为|是|需|要)\s*)?",
        "usd/mtok",
    ),
    (r"每小时\s*(?:约)?\s*", "usd/h"),
    (r"每月\s*(?:约)?\s*", "usd/month"),
)
_UNIT_WORDS = "|".join(f"(?P<u{n}>{words})" for n, (words, _, _) in enumerate(_UNITS))
_QUANTITY = re.compile(
    r"(?<![A-Za-z0-9_.])(?P<currency>[$¥￥€£])?\s?"
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d])|\d+(?:\.\d+)?|\.\d+)"
    r"(?:\s?(?P<multiplier>百万|万|亿|千|(?:thousand|million|billion|trillion|bn|[kmbt])(?![a-z])))?"
    rf"(?:[\s-]?(?:{_UNIT_WORDS})(?![a-z]))?",
    re.IGNORECASE | re.ASCII,
)
_DATE = re.compile(
    r"(?<!\d)(?P<y>(?:19|20)\d\d)(?:-(?P<m>\d\d)(?:-(?P<d>\d\d))?(?!\d)|\s*年(?:\s*(?P<zm>\d{1,2})\s*月(?:\s*(?P<zd>\d{1,2})\s*[日号])?)?)"
)
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")  # fmt: skip
_WORDED_DATE = re.compile(
    r"\b(?:(?P<d1>\d{1,2})(?:st|nd|rd|th)?\s+)?(?P<month>"
    + "|".join(f"{m[:3]}(?:{m[3:]})?" for m in _MONTHS)
    + r")\.?"
    r"(?:\s+(?P<d2>\d{1,2})(?:st|nd|rd|th)?\s*,)?,?\s+(?P<y>(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_JOINED = re.compile(r"^\s*(?:of|/|–|—|-|~|to|or|and|±|至|到|或|和|±)\s*$")
_MARGIN = re.compile(r"(?:±|\bgive or take|\bplus or minus|上下浮动|误差)\s*$", re.IGNORECASE | re.ASCII)
_EN_NUMBERS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11,
    "twelve": 12, "fifteen": 15, "sixteen": 16, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60,
    "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100, "dozen": 12,
}  # fmt: skip
_EN_NUMBER = re.compile(
    r"\b(?:a\s+)?(" + "|".join(_EN_NUMBERS) + r")(?:[- ](one|two|three|four|five|six|seven|eight|nine)\b)?"
    r"(?:\s+(hundred|thousand|million|billion))?\b",
    re.IGNORECASE,
)
_ZH_DIGITS = {
    "零": 0,
    "〇": 0,
    "一": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}
_ZH_STEPS = {"十": 10, "百": 100, "千": 1000}
_ZH_NUMBER = re.compile(
    r"(?P<percent>百分之)(?P<p>[零〇一二两三四五六七八九十百点]+)|(?P<tenths>[一二三四五六七八九])成(?![为本功立员就分交])"
    r"|(?P<n>[零〇一二两三四五六七八九十百千万亿点]{2,}|[二两三四五六七八九十](?=\s*(?:个|款|张|块|条|份|项|次|遍|倍|位|层|小时|天|分钟|秒|亿|万)))"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number of a text: what it may stand for, in what unit, and how finely it was shown."""

    start: int
    end: int
    shown: float
    values: tuple[float, ...]
    """Scaled to the base unit; two for 128k."""
    unit: str | None = None
    step: float = 1.0
    """One in the last digit shown, as `shown` counts."""
    date: str | None = None

    @property
    def is_count(self) -> bool:
        """A whole number below a hundred with no hard unit."""
        return float(self.shown).is_integer() and self.unit not in _HARD and self.date is None


def quantities(text: str) -> tuple[Quantity, ...]:
    """Every quantity of the text, left to right."""
    plain = _digits_for_words(text)
    found = [*_dates(plain)]
    for span in found:
        plain = plain[: span.start] + " " * (span.end - span.start) + plain[span.end :]
    found += [
        _quantity(match, plain)
        for match in _QUANTITY.finditer(plain)
        if not _is_in_a_name(match, plain) and not _is_denominator(match, plain)
    ]
    found = _without_units_of_prices(sorted(found, key=lambda q: q.start))
    return tuple(_units_shared(found, plain))


def is_same(claim: Quantity, known: Quantity) -> bool:
    """Whether the claim is the known quantity, perhaps in another unit of its kind, or rounded to the digits it shows."""
    if claim.date or known.date:
        return _is_same_date(claim, known)
    if claim.unit is not None and claim.unit == known.unit:
        return any(_is_rounding(claim, v, at) for v in known.values for at in range(len(claim.values)))
    if claim.unit is not None and known.unit is not None:
        return _is_price(claim, known) and any(_is_rounding(claim, v, 0) for v in known.values)
    return _is_same_with_one_unit(claim, known)


def _is_same_with_one_unit(claim: Quantity, known: Quantity) -> bool:
    if claim.unit == "percent" and 0 < known.shown <= 1 and known.step < 1:
        return _is_rounding(claim, known.shown * 100, 0)
    if claim.unit is None and known.unit == "percent" and claim.step < 1 and 0 < claim.shown <= 1:
        return _is_rounding(claim, known.shown / 100, 0)
    if known.unit == "margin" or claim.unit in _HARD or str(claim.unit).startswith("usd"):
        return False
    if claim.unit and claim.shown < 10 and known.unit is None:
        return False
    is_bare = claim.values == (claim.shown,)
    return (is_bare and _is_rounding(claim, known.shown, None)) or any(
        _is_rounding(claim, v, at) for v in known.values for at in range(len(claim.values))
    )


def _is_price(claim: Quantity, known: Quantity) -> bool:
    """A price without its "per" stands for one that has it."""
    return claim.unit == "usd" and str(known.unit).startswith("usd/")


def _is_rounding(claim: Quantity, known: float, at: int | None) -> bool:
    value = claim.shown if at is None else claim.values[at]
    scale = 1.0 if at is None or not claim.shown else value / claim.shown
    away = abs(value - known)
    if away <= 1e-9 * max(1.0, abs(known)):
        return True
    coarsest = 0.12 if claim.step < 1 else 0.05
    return away <= 0.5000001 * claim.step * scale and away <= coarsest * abs(known)


def _is_same_date(claim: Quantity, known: Quantity) -> bool:
    if claim.date and known.date:
        return known.date.startswith(claim.date)
    if claim.date:
        return len(claim.date) == 4 and known.unit is None and known.shown == float(claim.date)
    return claim.unit is None and claim.step == 1 and str(known.date).startswith(f"{claim.shown:.0f}-")


def _dates(text: str) -> list[Quantity]:
    found = []
    for match in _DATE.finditer(text):
        month, day = match["m"] or match["zm"], match["d"] or match["zd"]
        found.append(_date(match, match["y"], int(month) if month else None, day))
    for match in _WORDED_DATE.finditer(text):
        month_n = 1 + next(i for i, name in enumerate(_MONTHS) if name.startswith(match["month"].lower()[:3]))
        found.append(_date(match, match["y"], month_n, match["d1"] or match["d2"]))
    return found


def _date(match: re.Match[str], year: str, month: int | None, day: str | None) -> Quantity:
    parts = [year, *([f"{month:02d}"] if month else []), *([f"{int(day):02d}"] if day else [])]
    return Quantity(match.start(), match.end(), float(year), (float(year),), date="-".join(parts))


def _quantity(match: re.Match[str], text: str) -> Quantity:
    digits = match["number"].replace(",", "")
    shown = float(digits)
    step = 10.0 ** -len(digits.partition(".")[2]) if "." in digits else 1.0
    scales = _MULTIPLIERS[match["multiplier"].lower()] if match["multiplier"] else (1.0,)
    unit, factor = _unit_of(match)
    if unit in (None, "models") and (match["multiplier"] or "").lower() in ("b", "billion", "亿", "bn"):
        unit, factor = "params", 1.0
    if match["multiplier"] and unit not in (None, "tokens", "params", "bytes"):
        scales = scales[:1]
    if unit is None and _MARGIN.search(text[: match.start("number")]):
        unit = "margin"
    end = match.end()
    if match["currency"]:
        unit, factor = _CURRENCIES[match["currency"]], 1.0
    if unit == "usd":
        unit, rate, end = _priced_per(text, match.start(), end)
        factor *= rate
    return Quantity(match.start(), end, shown, tuple(shown * scale * factor for scale in scales), unit, step)


def _unit_of(match: re.Match[str]) -> tuple[str | None, float]:
    for n, (_, unit, factor) in enumerate(_UNITS):
        if match[f"u{n}"]:
            return unit, factor
    return None, 1.0


def _priced_per(text: str, start: int, end: int) -> tuple[str, float, int]:
    for pattern, unit, rate in _PER:
        after = re.match(rf"\s*(?:{pattern})", text[end:], re.IGNORECASE)
        if after:
            return unit, rate, end + after.end()
    for pattern, unit in _PER_BEFORE:
        if re.search(rf"(?:{pattern})$", text[:start], re.IGNORECASE):
            return unit, 1.0, end
    return "usd", 1.0, end


def _is_in_a_name(match: re.Match[str], text: str) -> bool:
    """`RTX-3090`, `v2`, `3.1-instruct`: glued to letters before it, or by a hyphen to letters that are no unit."""
    before, after = text[: match.start("number")], text[match.end() :]
    return bool(re.search(r"[A-Za-z_]-?$", before)) or bool(
        match.end() == match.end("number") and re.match(r"[A-Za-z_]", after)
    )


def _is_denominator(match: re.Match[str], text: str) -> bool:
    """The 1M of "cost / 1M tokens"."""
    return bool(re.search(r"(?:\bper|/|每)\s*$", text[: match.start()])) and bool(
        re.match(
            r"1\s*(?:m|million|k|thousand)\b|1,000(?:,000)?\b|100\s*万", match.group().strip(), re.IGNORECASE
        )
    )


def _without_units_of_prices(found: list[Quantity]) -> list[Quantity]:
    """The "1M" of "$0.10 per 1M tokens" is part of the price, and "cost / 1M tokens: $0.10" says the same."""
    kept: list[Quantity] = []
    for q in found:
        if kept and q.start < kept[-1].end:
            continue
        kept.append(q)
    return kept


def _units_shared(found: list[Quantity], text: str) -> list[Quantity]:
    """In "16.4 of 24 GiB" and "2 to 5%" both numbers have the unit."""
    shared = list(found)
    for i in range(len(shared) - 2, -1, -1):
        left, right = shared[i], shared[i + 1]
        if (
            left.unit is None
            and right.unit not in (None, "margin")
            and not left.date
            and _JOINED.match(text[left.end : right.start])
        ):
            rate = right.values[0] / right.shown if right.shown else 1.0
            shared[i] = Quantity(
                left.start, left.end, left.shown, (left.shown * rate,), right.unit, left.step
            )
    return shared


def _digits_for_words(text: str) -> str:
    """Numbers in words as digits."""
    text = _EN_NUMBER.sub(lambda m: _padded(_english_value(m), m.group()), text)
    return _ZH_NUMBER.sub(_chinese_digits, text)


def _english_value(match: re.Match[str]) -> str:
    value = _EN_NUMBERS[match[1].lower()]
    if match[2]:
        value += ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine").index(
            match[2].lower()
        ) + 1
    scale = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9}.get(
        (match[3] or "").lower()
    )
    if scale == 10**9:
        return f"{value}B"
    return str(value * (scale or 1))


def _chinese_digits(match: re.Match[str]) -> str:
    whole = match.group()
    if match["percent"]:
        return _padded(f"{_chinese_value(match['p']):g}%", whole)
    if match["tenths"]:
        return _padded(f"{_ZH_DIGITS[match['tenths']]}0%", whole)
    if not re.search(r"[一二两三四五六七八九十]", whole) or (
        len(whole) > 1 and not re.search(r"[十百千万亿点]", whole)
    ):
        return whole
    try:
        return _padded(f"{_chinese_value(whole):.10g}", whole)
    except (KeyError, ValueError, IndexError):
        return whole


def _chinese_value(text: str) -> float:
    whole, _, decimals = text.partition("点")
    total = section = digit = 0.0
    for char in whole:
        if char in _ZH_DIGITS:
            digit = _ZH_DIGITS[char]
        elif char in _ZH_STEPS:
            section += (digit or 1) * _ZH_STEPS[char]
            digit = 0
        else:
            total = (total + section + digit) * (1e4 if char == "万" else 1e8)
            section = digit = 0
    value = total + section + digit
    return value + sum(_ZH_DIGITS[d] * 10.0 ** -(i + 1) for i, d in enumerate(decimals))


def _padded(digits: str, original: str) -> str:
    """As long as the words were, where possible: positions are only compared with those of names nearby."""
    return digits.rjust(len(original))
