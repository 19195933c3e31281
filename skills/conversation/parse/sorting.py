"""Tell that texts are to be sorted: into so many kinds ("which of 14 departments"), or as one thing or the other."""

from __future__ import annotations

from collections.abc import Iterator

from skills.conversation.parse.lexicon import words
from skills.conversation.parse.numbers import number_at
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.reading import Reading

_SORTED_WITHIN = 8
_NUMBER_WITHIN = 3
_EITHER_WITHIN = 10
_FEWEST_KINDS = 2
_OF_THE_CHOICE = (
    *("gpu", "hosting", "name", "licence", "quantization", "vendor", "language", "unit", "model_noun"),
    *("finetune", "budget_word", "memory_word", "priority", "architecture", "thinking"),
)
"""What a model may be, not what a text may be: "tell us whether an A10 or an L4 is enough"."""


def sorted_texts(reading: Reading) -> Iterator[Match]:
    """Hints of a classification."""
    yield from _into_kinds(reading)
    yield from _either(reading)


def _into_kinds(reading: Reading) -> Iterator[Match]:
    """ "Into 12 topics", "one of fifteen reasons", 分成十二类."""
    for kinds in reading.all("kinds"):
        start = _number_before(reading, kinds.start)
        if start is None:
            continue
        lead = reading.gap(start - 1, start) if start else ""
        is_chinese = reading.tokens[kinds.start].is_han
        verb = reading.before(start, "sorts", _SORTED_WITHIN)
        if verb or (not is_chinese and lead in words("text", "into_kinds")):
            yield Match("task_hint", "classification", start, kinds.end)


def _number_before(reading: Reading, position: int) -> int | None:
    for start in range(max(position - _NUMBER_WITHIN, 0), position):
        number = number_at(reading.tokens, start)
        between = reading.gap(number.end, position) if number else ""
        if (
            number
            and number.value >= _FEWEST_KINDS
            and number.end <= position
            and between in ("", "个", "different")
        ):
            return start
    return None


def _either(reading: Reading) -> Iterator[Match]:
    """ "Whether it is praise or abuse", "rated hot, warm or cold", "是夸还是骂"."""
    for verb in reading.stated("judges"):
        for at in range(verb.end + 1, min(verb.end + _EITHER_WITHIN, len(reading.tokens) - 1)):
            is_or = reading.tokens[at].text == "or" or reading.gap(at, at + 2) == "还 是"
            if (
                is_or
                and _same_sentence(reading, verb.end, at)
                and not _is_choice(reading, verb.start, at + 3)
            ):
                yield Match("task_hint", "classification", verb.start, at + 1)
                break


def _same_sentence(reading: Reading, start: int, end: int) -> bool:
    return not any(token.text in (".", "?", "!", "。", ";") for token in reading.tokens[start:end])


def _is_choice(reading: Reading, start: int, end: int) -> bool:
    return any(start <= match.start <= end for c in _OF_THE_CHOICE for match in reading.all(c))
