"""Read numbers in digits, English words and Chinese: "1,000", "half a million", "70亿", "两", "20万"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from skills.conversation.parse.lexicon import load
from skills.conversation.parse.text import Token

_TENTHS = 10
_CLASSIFIERS = frozenset("张台片卡个条种份篇页")
"""After a digit, these make it a count of its own."""

_OF_ONE_OR_TWO = frozenset("单双俩")
"""Numbers of their own: 五千单 are orders."""
_OR_SO = frozenset("多来余几")
"""二十来万, 两千多万: between a number and its scale, "and some"."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text, by token positions. `scale` is the word that multiplied it ("b", "亿"), if any."""

    value: float
    start: int
    end: int
    scale: str | None = None
    factor: float = 1.0
    """What the scale words multiplied it by."""
    is_digits: bool = False


def number_at(tokens: Sequence[Token], start: int) -> Number | None:
    """The number that begins at this token, with its scale words, or None."""
    base = _base(tokens, start)
    if base is None:
        return None
    number = _with_rest(tokens, _scaled(tokens, base))
    return number if number.end > start else None


def _with_rest(tokens: Sequence[Token], number: Number) -> Number:
    """1万5千 and 一亿两千万: what follows a scale in a smaller one is added."""
    if number.scale not in ("万", "亿") or number.end >= len(tokens):
        return number
    rest = _base(tokens, number.end)
    rest = _scaled(tokens, rest) if rest is not None and rest.end > rest.start else None
    if rest is None or rest.factor >= number.factor or rest.value >= number.factor:
        return number
    if rest.factor <= 1 and not rest.is_digits and rest.value < 10:
        return _spoken_rest(tokens, number, rest)
    if rest.factor <= 1 and rest.is_digits:
        return number
    return replace(number, value=number.value + rest.value, end=rest.end)


def _spoken_rest(tokens: Sequence[Token], number: Number, rest: Number) -> Number:
    """三万五 is 35,000; the 一 of 一万一张 counts cards."""
    if rest.value < 1 or _text(tokens, rest.end) in _CLASSIFIERS or rest.value != int(rest.value):
        return number
    return replace(number, value=number.value + rest.value * number.factor / 10, end=rest.end)


def _base(tokens: Sequence[Token], start: int) -> Number | None:
    token = tokens[start]
    if token.is_number:
        groups = _spaced_groups(tokens, start)
        digits = "".join(t.text.replace(",", "") for t in tokens[start : start + groups])
        return Number(float(digits), start, start + groups, is_digits=True)
    return _english(tokens, start) if token.is_word else _chinese(tokens, start)


def _spaced_groups(tokens: Sequence[Token], start: int) -> int:
    """Tokens of "32 000" and "1 000 000": zeros after a space belong to the number before them."""
    groups = 1
    while (
        tokens[start].text.isdigit()
        and len(tokens[start].text) <= 3
        and _text(tokens, start + groups) == "000"
    ):
        groups += 1
    return groups


def _scaled(tokens: Sequence[Token], base: Number) -> Number:
    """Multiply by the scale words that follow: 50 million, 7b, 2千万."""
    factor, end, scale = 1.0, base.end, base.scale
    while end < len(tokens):
        if _text(tokens, end) in _OR_SO and _value("chinese_scales", _text(tokens, end + 1)):
            end += 1
        step = _scale_factor(tokens, end, base)
        if step is None:
            break
        factor, scale, end = factor * step, tokens[end].text, end + 1
    return Number(base.value * factor, base.start, end, scale, factor, base.is_digits)


def _scale_factor(tokens: Sequence[Token], at: int, base: Number) -> float | None:
    token = tokens[at]
    if token.is_han:
        return _value("chinese_scales", token.text)
    if token.text == "t" and _text(tokens, at + 1) == "/":  # 50 t/s are tokens
        return None
    is_spelled = token.text == "b" and base.end > base.start and tokens[base.end - 1].is_han
    may_scale = (base.is_digits or is_spelled) and at == base.end and _ends_word(tokens, at)
    if len(token.text) <= 2 and not may_scale:
        return None
    return _value("scale_words", token.text)


def _ends_word(tokens: Sequence[Token], at: int) -> bool:
    """False for the "m" of "7m2": then it is part of a name."""
    if at + 1 >= len(tokens):
        return True
    following = tokens[at + 1]
    return not (following.joined and (following.is_number or following.is_word))


def _english(tokens: Sequence[Token], start: int) -> Number | None:
    """Number words: "twenty-four", "a pair of", "half a", and the empty one before "million"."""
    word, following = tokens[start].text, _text(tokens, start + 1)
    if word in ("a", "an"):
        return _after_article(tokens, start) if following else None
    value = _value("number_words", word)
    if word == "quarter" and (_value("scale_words", following) is None or len(following) < 3):
        return None
    if value is None:
        return Number(1.0, start, start) if len(word) > 2 and _value("scale_words", word) else None
    if word == "half" and [_text(tokens, start + i) for i in (1, 2)] in (["a", "dozen"], ["dozen", "of"]):
        return Number(6.0, start, start + 3)
    if following in ("of", "a", "an") and word in ("couple", "pair", "trio", "half", "dozen", "handful"):
        return Number(value, start, start + 2)
    return _tens(tokens, start, value) if value >= 20 else Number(value, start, start + 1)


def _after_article(tokens: Sequence[Token], start: int) -> Number | None:
    following = tokens[start + 1].text
    if following in ("couple", "pair", "trio", "dozen", "quarter") or (
        following == "half" and len(tokens) > start + 2
    ):
        group = _english(tokens, start + 1)
        return Number(group.value, start, group.end) if group else None
    if following in load("units")["counted_by_article"]:
        return Number(1.0, start, start + 1)
    is_scale = len(following) > 2 and _value("scale_words", following) is not None
    return Number(1.0, start, start + 1) if is_scale else None


def _tens(tokens: Sequence[Token], start: int, tens: float) -> Number:
    at = start + 2 if _text(tokens, start + 1) == "-" else start + 1
    unit = _value("number_words", _text(tokens, at))
    if unit is not None and 1 <= unit < 10:
        return Number(tens + unit, start, at + 1)
    return Number(tens, start, start + 1)


def _chinese(tokens: Sequence[Token], start: int) -> Number | None:
    """Chinese numerals below ten thousand; 万 and 亿 come as scales. Bare 百万 counts as one of them."""
    total, digit, at = 0.0, None, start
    while at < len(tokens):
        char = tokens[at].text
        value, unit = _value("chinese_digits", char), _value("chinese_units", char)
        if char in _OF_ONE_OR_TWO and at > start:
            break
        if value is not None and digit is None:
            digit = value
        elif unit is not None and (digit is not None or char == "十"):
            total, digit = total + (1 if digit is None else digit) * unit, None
        else:
            break
        at += 1
    if at == start:
        return Number(1.0, start, start) if _value("chinese_scales", tokens[start].text) else None
    if digit and at - start >= 3 and _text(tokens, at) not in _CLASSIFIERS:
        digit *= (_value("chinese_units", tokens[at - 2].text) or _TENTHS) / _TENTHS
    return _decimal(tokens, Number(total + (digit or 0.0), start, at))


def _decimal(tokens: Sequence[Token], whole: Number) -> Number:
    """三点五 is 3.5."""
    fraction = _value("chinese_digits", _text(tokens, whole.end + 1))
    if _text(tokens, whole.end) != "点" or fraction is None:
        return whole
    return Number(whole.value + fraction / 10, whole.start, whole.end + 2)


def _text(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].text if at < len(tokens) else ""


def _value(table: str, word: str) -> float | None:
    found = load("units")[table].get(word)
    return None if found is None else float(found)
