"""What a turn says of what was there before: swapped for something else, allowed again, wanted beside it.

"swap the T4 for an A10", "把 T4 换成 A10"      -> the T4 is given up
"Chinese models are fine after all"            -> no wish for them, and no objection any more
"除了德语还要法语", "besides German also French"  -> both
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from skills.conversation.parse.lexicon import words
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.scope import is_forgotten

_SWAPPED_WITHIN = 8
_SPOKEN_WITHIN = 14
_BAN_REACH = 3
_MOST_SWAPS = 8
"""More are no request, and each is compared with all that the turn names."""
_KINDS = ("gpu", "language", "licence", "task", "hosting", "quantization", "priority", "modality", "vendor")
_FIELD_OF = {
    "origin": "origins",
    "demonym": "origins",
    "nationality": "origins",
    "place": "origins",
    "vendor": "vendors",
    "architecture": "architecture",
    "thinking": "reasoning",
}
"""Phrases that say which models are meant, and the field that they are about."""
_ONLY_OF_MODELS = ("nationality", "place")
"""These name a maker only beside a word for models or companies."""


def given_up(reading: Reading) -> Iterator[Match]:
    """Where the thing stands that makes way for another of its kind."""
    for start, end, joint in islice(_swaps(reading), _MOST_SWAPS):
        _, after = reading.clause(joint, joint)
        if _is_traded(reading, (start, end), (joint, after)):
            yield Match("given_up", "swap", start, end)


def parted_with(reading: Reading) -> Iterator[Match]:
    """ "We sold the 3090 and bought a 4090", "an L40S came, so forget the T4": the one that is gone, where another is
    named."""
    named = reading.all("gpu")
    for match in named:
        gone = reading.after(match.end, "lost", 1) or is_forgotten(reading, match)
        if gone and any(other.value != match.value for other in named):
            yield Match("given_up", "gone", match.start, match.end)


def _swaps(reading: Reading) -> Iterator[tuple[int, int, int]]:
    """The span before the joint of a swap, and where the joint ends."""
    for verb in reading.all("swap"):
        joints = verb.value.split()
        for at in range(verb.end + 1, min(verb.end + _SWAPPED_WITHIN, len(reading.tokens))):
            if reading.tokens[at].text in joints and reading.same_clause(verb.end, at):
                yield verb.end, at, at + 1
                break
    for verb in reading.all("becomes"):
        start, _ = reading.clause(verb.start, verb.end)
        yield start, verb.start, verb.end


def _is_traded(reading: Reading, old: tuple[int, int], new: tuple[int, int]) -> bool:
    """True when something of one kind stands on both sides."""
    is_rendered = reading.gap(new[0] - 1, new[0]) == "into"
    for category in _KINDS:
        if category == "language" and is_rendered:
            continue
        before, after = (
            {match.value for match in reading.all(category) if start <= match.start < end}
            for start, end in (old, new)
        )
        if before and after - before:
            return True
    numbers = [i for i, token in enumerate(reading.tokens) if token.is_number]
    return _any_within(numbers, old) and _any_within(numbers, new)


def _any_within(positions: list[int], span: tuple[int, int]) -> bool:
    return any(span[0] <= position < span[1] for position in positions)


def besides(reading: Reading) -> Iterator[Match]:
    """ "Besides" that adds: "除了德语还要法语" wants both, "除了德语都行" does not."""
    for negation in reading.all("negation"):
        if reading.gap(negation.start, negation.end) not in words("text", "besides"):
            continue
        if _adds(f" {reading.gap(negation.end, negation.end + _SPOKEN_WITHIN)} "):
            yield negation


def _adds(said: str) -> bool:
    """An "also" or 还要, and nothing denied or left to choice."""
    adds = any(f" {phrase} " in said for phrase in words("text", "also"))
    return adds and words("text", "denials").isdisjoint(said.split()) and not _is_open(said)


def _is_open(said: str) -> bool:
    """ "Anything but", "其他都行"."""
    return not words("text", "universals").isdisjoint(said.split())


def welcomed(reading: Reading) -> Iterator[tuple[Match, str]]:
    """Models that are fine with them, and the field that they are about: allowed, not asked for."""
    for category, field in _FIELD_OF.items():
        for match in reading.all(category):
            if _is_unbanned(reading, match):
                yield match, field
            elif category in _ONLY_OF_MODELS and not _is_of_models(reading, match):
                continue
            elif _is_allowed(reading, match):
                yield match, field


def _is_unbanned(reading: Reading, match: Match) -> bool:
    """ "They lifted the China ban", "the ban on Meta is gone", "对国产模型的禁令取消了"."""
    for ban in reading.all("ban"):
        is_about = 0 <= ban.start - match.end <= _BAN_REACH or 0 <= match.start - ban.end <= _BAN_REACH
        start, end = min(ban.start, match.start), max(ban.end, match.end)
        if is_about and reading.near(start, end, "lifts", _SWAPPED_WITHIN) is not None:
            return True
    return False


def _is_of_models(reading: Reading, match: Match) -> bool:
    beside = (reading.after(match.end, "model_noun", 2), reading.after(match.end, "place_tail", 1))
    return any(beside) or reading.before(match.start, "place_lead", 1) is not None


def _is_allowed(reading: Reading, match: Match) -> bool:
    """A word of allowance behind it, or an end of its ban before it; and no "only"."""
    lifted = reading.before(match.start, "unbanned", _SWAPPED_WITHIN) is not None
    said = f" {reading.gap(match.end, _reach(reading, match.end))} "
    allowed = [phrase for phrase in words("text", "welcomes") if f" {phrase} " in said]
    is_strict = _is_only(reading, match)
    if lifted and not is_strict:
        return True
    if not allowed or is_strict or _is_asked(reading) or reading.is_negated(match.start):
        return False
    for phrase in allowed:
        said = said.replace(f" {phrase} ", " ")
    return words("text", "denials").isdisjoint(said.split())


def _reach(reading: Reading, start: int) -> int:
    """Where the clause ends, or a little further on: longer clauses say more than this."""
    end = start
    while end < min(start + _SPOKEN_WITHIN, len(reading.tokens)) and reading.same_clause(end, end + 1):
        end += 1
    return end


def _is_only(reading: Reading, match: Match) -> bool:
    """ "Only European models are fine": a wish, not an allowance."""
    for at in range(match.start - 1, max(match.start - _SPOKEN_WITHIN, 0) - 1, -1):
        if not reading.same_clause(at, at + 1):
            return False
        if reading.tokens[at].text in words("text", "only"):
            return True
    return False


def _is_asked(reading: Reading) -> bool:
    return reading.has_any("which", "choose", "superlative") or reading.tokens[-1].text in ("?", "吗")
