"""Read who should have made the model: "nothing by OpenAI", "only European models", "国产的", "不要阿里的"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from skills.conversation.parse.lexicon import words
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.reading import Reading

_NAMING = ("origin", "nationality", "place", "demonym", "not_from")
_HOME = {"zh": "CN"}
"""Where "foreign" is said from, by language; elsewhere the word says nothing."""


def read_makers(reading: Reading) -> dict[str, Any]:
    """`vendors`, `origins`, and those that are excluded."""
    denied: list[Match] = []
    wanted: list[Match] = []
    for run in _runs(reading, sorted(reading.all("vendor"), key=lambda match: match.start)):
        if _is_measure(reading, run[0]) or reading.at(run[0].start, "licence"):
            continue
        lead = reading.before(run[0].start, "place_lead", 0)
        is_none = lead is not None and lead.value == "none"
        if is_none or any(reading.is_negated(vendor.start) for vendor in run):
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


def _runs(reading: Reading, named: Sequence[Match]) -> list[list[Match]]:
    """Names in the lists that they are said in: "OpenAI or Google" is one."""
    runs: list[list[Match]] = []
    for match in named:
        if runs and _is_listed(reading, runs[-1][-1].end, match.start):
            runs[-1].append(match)
        else:
            runs.append([match])
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
    return start < end <= start + 3 and all(
        token.text in words("text", "list_joints") for token in reading.tokens[start:end]
    )


def _origins(reading: Reading) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Countries wanted and not wanted. "Foreign" is everywhere but at home."""
    denied = {match.value for match in reading.all("origin") if _is_of_none(reading, match)}
    others = denied | {match.value for match in reading.all("origin") if _is_ours(reading, match)}
    wanted = [country for country in reading.values("origin") if country not in others]
    excluded = list(dict.fromkeys([*reading.denied("origin"), *denied]))
    excluded += [
        country
        for country in (*reading.denied("demonym"), *reading.values("not_from"))
        if country not in excluded
    ]
    for run, is_denied in _places(reading):
        (excluded if is_denied else wanted).extend(match.value for match in run)
    home = _HOME.get(reading.language, "CN" if "non" in {t.text for t in reading.tokens} else None)
    for here, there in ((wanted, excluded), (excluded, wanted)):
        if "foreign" in here:
            here.remove("foreign")
            there.extend([home] if home and home not in there else [])
    return _as_mentioned(reading, wanted), _as_mentioned(reading, excluded)


def _as_mentioned(reading: Reading, countries: Sequence[str]) -> tuple[str, ...]:
    """Each once, in the order of the turn."""
    named = [m for category in _NAMING for m in reading.all(category)]
    first = {match.value: match.start for match in sorted(named, key=lambda match: -match.start)}
    return tuple(sorted(dict.fromkeys(countries), key=lambda country: first.get(country, 0)))


def _is_of_none(reading: Reading, origin: Match) -> bool:
    """ "Nothing from the US": its words reach into those for the place."""
    return any(lead.start < origin.start <= lead.end for lead in reading.all("place_lead", "none"))


def _is_ours(reading: Reading, origin: Match) -> bool:
    """ "We're a French company" says who asks."""
    return reading.before(origin.start, "self_lead", 1) is not None


def maker_positions(reading: Reading) -> frozenset[int]:
    """Where a nationality says who made the model: no word on the language of the text."""
    runs = (run for run, _ in _places(reading))
    return frozenset(position for run in runs for match in run for position in range(match.start, match.end))


def _places(reading: Reading) -> Iterator[tuple[list[Match], bool]]:
    """Countries that are the maker's, in the lists that they are said in, and whether they are denied.

    "Russian models" may mean the language; denied ("no Russian models") it is the maker.
    """
    only = (match for match in reading.all("demonym") if _is_only(reading, match.start, match.end))
    named = [*reading.all("nationality"), *reading.all("place"), *only]
    named.sort(key=lambda match: match.start)
    for run in _runs(reading, named):
        start, end = run[0].start, run[-1].end
        is_denied = any(reading.is_negated(match.start) for match in run)
        lead = reading.before(start, "place_lead", 1)
        is_denied = is_denied or (lead is not None and lead.value == "none")
        is_said = bool(lead or reading.after(end, "place_tail", 1))
        listed = next((o for o in reading.all("origin") if _is_listed(reading, end, o.start)), None)
        is_denied = is_denied or (listed is not None and reading.is_negated(listed.start))
        is_sure = is_said or listed is not None or run[-1].category == "demonym" or _are_only(reading, run)
        is_neither = reading.gap(start - 1, start) == "neither" and len(run) > 1
        if (
            is_sure
            or is_neither
            or (is_denied and (reading.after(end, "model_noun", 1) or _stands_alone(reading, end)))
        ):
            yield run, is_denied


def _are_only(reading: Reading, run: list[Match]) -> bool:
    """ "Chinese models only", "only French or German models": a language is not said of models alone."""
    end = run[-1].end
    noun = reading.after(end, "model_noun", 0)
    if noun is None:
        return False
    return _is_only(reading, run[0].start, noun.end)


def _is_only(reading: Reading, start: int, end: int) -> bool:
    return not words("text", "only").isdisjoint((reading.gap(start - 1, start), reading.gap(end, end + 1)))


def _stands_alone(reading: Reading, end: int) -> bool:
    """不要俄罗斯的: the noun that would follow is understood."""
    following = [token.text for token in reading.tokens[end : end + 2]]
    is_last = len(following) == 1 or not reading.same_clause(end + 1, end + 2)
    is_denied_next = any(m.start == end + 1 for m in reading.all("negation_after"))
    return following[:1] == ["的"] and (is_last or is_denied_next)


def _values(matches: list[Match]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(match.value for match in matches))
