"""Read how long the input is and how large the model may be: "128k", "200-page PDFs", "7B以下"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from skills.conversation.parse.lexicon import words
from skills.conversation.parse.quantities import Quantity
from skills.conversation.parse.rates import LENGTHS
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.volume import in_tokens, is_by_context_word

_LEAST_CONTEXT_TOKENS = 2000
"""Less is the length of an output ("a 100-word summary"), not a limit on models."""
_MOST_CONTEXT_TOKENS = 20_000_000
_MOST_UNASKED_TOKENS = 2_100_000
"""More is a volume, unless context is spoken of."""
_MOST_UNASKED_TEXT_TOKENS = 1_100_000
"""The same in pages or words, of which one input has fewer: 3,000 pages are an archive."""
_ABOUT_FRAC = 0.15
"""A "7B model" is one of 6 to 8 billion."""
_MOVED_WITHIN = 5
_MEASURED_WITHIN = 5
_BILLION = 1e9
_BILLION_SCALES = frozenset({"b", "bn", "billion", "亿"})
_OTHER_SCALES = frozenset({"m", "million", "t", "trillion", "万", "mn"})
_ACTIVE = frozenset({"active", "activated", "激"})
"""Parameters used per token are not the size of the model."""
_COMPARED = frozenset({"bigger", "larger", "smaller"})
_ALSO = frozenset({"也", "都"})
_PARAM_RANGE_B = (0.01, 5000.0)


def read_context(reading: Reading, quantities: Sequence[Quantity]) -> dict[str, Any]:
    """`min_context_tokens`: the longest input that is spoken of."""
    lengths = [length for q in quantities if (length := text_tokens(reading, q)) is not None]
    fitting = [length for length in lengths if _LEAST_CONTEXT_TOKENS <= length <= _MOST_CONTEXT_TOKENS]
    return {"min_context_tokens": round(max(fitting))} if fitting else {}


def text_tokens(reading: Reading, quantity: Quantity) -> float | None:
    """The quantity in tokens, if it is a length of text."""
    if quantity.is_negated or quantity.is_money:
        return None
    if quantity.unit in LENGTHS:
        tokens = in_tokens(quantity)
        most = _MOST_UNASKED_TOKENS if quantity.unit == "token" else _MOST_UNASKED_TEXT_TOKENS
        is_volume = tokens > most and not is_by_context_word(reading, quantity)
        return None if is_volume or _is_rate(reading, quantity) else tokens
    return quantity.value if quantity.unit is None and _is_context(reading, quantity) else None


def _is_rate(reading: Reading, quantity: Quantity) -> bool:
    """Pages a day say how much there is to do, not how long one input is."""
    return (
        reading.after(quantity.end, "period", 2) is not None
        or reading.before(quantity.start, "period", 2) is not None
    )


def _is_context(reading: Reading, quantity: Quantity) -> bool:
    """A bare number is a context length beside that word; "128k" is one by itself."""
    if is_by_context_word(reading, quantity):
        return quantity.scale in (None, "k", "m", "w", "万", "million", "thousand")
    return quantity.scale == "k" and not _counts_things(reading, quantity)


def _counts_things(reading: Reading, quantity: Quantity) -> bool:
    """True for "5k conversations", false for "128k, MIT" and "128k with tools"."""
    following = reading.tokens[quantity.end] if quantity.end < len(reading.tokens) else None
    return (
        following is not None and following.is_word and following.text not in words("text", "after_a_length")
    )


def read_size(reading: Reading, quantities: Sequence[Quantity]) -> dict[str, Any]:
    """`min_params_b` and `max_params_b`."""
    sizes = [q for q in quantities if not q.is_negated and is_param_count(reading, q)]
    sizes = [replace(q, bound="max") if _is_new_limit(reading, q) else q for q in sizes]
    bounded = [q for q in sizes if q.bound in ("min", "max")]
    sizes = bounded or sizes
    lows = [_low(q) for q in sizes if q.bound != "max"]
    highs = [_high(q) for q in sizes if q.bound != "min"]
    fields: dict[str, Any] = {}
    if lows:
        fields["min_params_b"] = round(min(lows), 3)
    if highs:
        fields["max_params_b"] = round(max(highs), 3)
    return fields


def _is_new_limit(reading: Reading, quantity: Quantity) -> bool:
    """ "Relax it to 32B", "放宽到 32B", "14B也行": how far the limit is moved, not a size to be near to."""
    before = reading.tokens[quantity.start - 1].text if quantity.start else ""
    if quantity.bound != "exact":
        return False
    if any(token.text in _ALSO for token in reading.tokens[quantity.end : quantity.end + 1]):
        return True
    if before not in words("text", "towards"):
        return False
    moves = ("relax", "direction", "moves")
    return any(reading.before(quantity.start - 1, category, _MOVED_WITHIN) for category in moves)


def is_param_count(reading: Reading, quantity: Quantity) -> bool:
    """Whether the quantity is the size of a model."""
    billions = quantity.value / _BILLION
    nearby = reading.gap(quantity.end - 1, quantity.end + 1).split()
    if (
        not _ACTIVE.isdisjoint(nearby)
        or quantity.is_money
        or not _PARAM_RANGE_B[0] <= billions <= _PARAM_RANGE_B[1]
    ):
        return False
    if quantity.unit == "param":
        return True
    if quantity.unit is not None:
        return False
    if _is_measure(reading, quantity):
        return False
    has_noun = (
        reading.after(quantity.end, "model_noun", 2)
        or _follows_size_word(reading, quantity)
        or not _COMPARED.isdisjoint(reading.gap(quantity.start - 2, quantity.start).split())
    )
    return quantity.scale in _BILLION_SCALES or (quantity.scale in _OTHER_SCALES and bool(has_noun))


def _is_measure(reading: Reading, quantity: Quantity) -> bool:
    """ "70B-class quality", "70B 级别的效果": how good it should be, not how large."""
    following = reading.tokens[quantity.end : quantity.end + _MEASURED_WITHIN]
    start = reading.tokens[quantity.start : quantity.end]
    said = {token.text for token in (*start, *following)}
    is_class = not said.isdisjoint({"class", "level", "grade", "级", "水"})
    return is_class and not said.isdisjoint(
        {"quality", "performance", "results", "answers", "smarts", "效", "平", "能"}
    )


def _follows_size_word(reading: Reading, quantity: Quantity) -> bool:
    before = reading.before(quantity.start, "field_word", 4)
    return before is not None and before.value == "size"


def _low(quantity: Quantity) -> float:
    billions = quantity.value / _BILLION
    return billions if quantity.bound == "min" else billions * (1 - _ABOUT_FRAC)


def _high(quantity: Quantity) -> float:
    billions = quantity.value / _BILLION
    return billions if quantity.bound == "max" else billions * (1 + _ABOUT_FRAC)
