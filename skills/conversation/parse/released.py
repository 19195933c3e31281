"""Read what the thread holds and this turn takes back by its value: "Google-only was silly, scrap it", "荷兰语删掉"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skills.conversation.parse.phrases import Match
from skills.conversation.parse.reading import Reading

_FIELD_OF = {
    "thinking": "reasoning",
    "vendor": "vendors",
    "licence": "licences",
    "quantization": "quantization",
    "origin": "origins",
    "demonym": "origins",
    "nationality": "origins",
    "language": "languages",
    "modality": "modalities",
    "architecture": "architecture",
}
_BEFORE, _AFTER = 2, 3
_NEXT_CLAUSE = 2


def released(reading: Reading, held: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Values taken back, by field; of a field with one value, that value as the lexicon has it."""
    found: dict[str, tuple[str, ...]] = {}
    for category, field in _FIELD_OF.items():
        if field not in held:
            continue
        for match in reading.all(category):
            is_held = not isinstance(held[field], tuple) or match.value in held[field]
            if is_held and _is_taken_off(reading, match):
                found[field] = (*found.get(field, ()), match.value)
    return found


def _is_taken_off(reading: Reading, match: Match) -> bool:
    _, end = reading.clause(match.start, match.end)
    return any(_reaches(reading, cue, match, end) for cue in reading.all("takes_off"))


def _reaches(reading: Reading, cue: Match, match: Match, end: int) -> bool:
    """Before it, behind it, or at the head of the next clause: "Google-only was a rule, scrap it"."""
    if cue.value == "before":
        return 0 <= match.start - cue.end <= _BEFORE and reading.same_clause(cue.end, match.start)
    is_behind = 0 <= cue.start - match.end <= _AFTER and reading.same_clause(match.end, cue.start)
    return is_behind or end < cue.start <= end + _NEXT_CLAUSE
