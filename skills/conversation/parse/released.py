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
    before = reading.before(match.start, "takes_off", _BEFORE)
    after = reading.after(match.end, "takes_off", _AFTER)
    if (before and before.value == "before") or (after and after.value == "after"):
        return True
    _, end = reading.clause(match.start, match.end)
    return any(
        cue.value == "after"
        and end < cue.start <= end + _NEXT_CLAUSE
        and not reading.same_clause(end, cue.start)
        for cue in reading.all("takes_off")
    ) and reading.tokens[min(end + 1, len(reading.tokens) - 1)].text not in ("but", "但")
