"""Read who should have made the model: "nothing by OpenAI", "only European models", "国产的", "不要阿里的"."""

from __future__ import annotations

from typing import Any

from skills.conversation.parse.phrases import Match
from skills.conversation.parse.reading import Reading

_AND = frozenset({"or", "and", ",", "/", "和", "或", "、", "与", "跟", "以", "及", "还", "有", "者"})
_HOME = {"zh": "CN"}
"""Where "foreign" is said from, by language; elsewhere the word says nothing."""


def read_makers(reading: Reading) -> dict[str, Any]:
    """`vendors`, `origins`, and those that are excluded."""
    denied: list[Match] = []
    wanted: list[Match] = []
    for run in _runs(reading):
        if _is_measure(reading, run[0]):
            continue
        if any(reading.is_negated(vendor.start) for vendor in run):
            denied += run
        elif _is_wanted(reading, run):
            wanted += run
    origins, excluded = _origins(reading)
    found = {
        "vendors": _values(wanted),
        "excluded_vendors": _values(denied),
        "origins": origins,
        "excluded_origins": excluded,
    }
    return {field: value for field, value in found.items() if value}


def _runs(reading: Reading) -> list[list[Match]]:
    """Makers in the lists that they are said in: "OpenAI or Google" is one."""
    runs: list[list[Match]] = []
    for vendor in reading.all("vendor"):
        if runs and _is_listed(reading, runs[-1][-1].end, vendor.start):
            runs[-1].append(vendor)
        else:
            runs.append([vendor])
    return runs


def _is_wanted(reading: Reading, run: list[Match]) -> bool:
    """A maker's name alone is no wish: something must say that the model should be theirs."""
    lead = reading.before(run[0].start, "maker_lead", 0)
    last = run[-1].end
    return bool(lead or reading.after(last, "maker_tail", 0) or reading.after(last, "model_noun", 1))


def _is_measure(reading: Reading, vendor: Match) -> bool:
    """ "an alternative to OpenAI" and "we use OpenAI" name what is there, not what is wanted."""
    cue = reading.before(vendor.start, "yardstick", 1)
    return cue is not None and cue.value == "before"


def _is_listed(reading: Reading, start: int, end: int) -> bool:
    return start < end <= start + 3 and all(token.text in _AND for token in reading.tokens[start:end])


def _origins(reading: Reading) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Countries wanted and not wanted. "Foreign" is everywhere but at home."""
    wanted, excluded = list(reading.values("origin")), list(reading.denied("origin"))
    excluded += [
        country
        for country in (*reading.denied("demonym"), *reading.values("not_from"))
        if country not in excluded
    ]
    home = _HOME.get(reading.language, "CN" if "non" in {t.text for t in reading.tokens} else None)
    for here, there in ((wanted, excluded), (excluded, wanted)):
        if "foreign" in here:
            here.remove("foreign")
            there.extend([home] if home and home not in there else [])
    return tuple(dict.fromkeys(wanted)), tuple(dict.fromkeys(excluded))


def _values(matches: list[Match]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(match.value for match in matches))
