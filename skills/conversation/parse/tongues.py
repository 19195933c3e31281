"""Read the languages of the work: by name, by people ("Ukrainian readers"), and by code ("EN/JA", "pt-BR", 中英日)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from skills.conversation.parse.lexicon import load
from skills.conversation.parse.makers import maker_positions
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.scope import is_forgotten

_LEAST_RUN = 3
_LISTING = frozenset({"、", "/", ",", "和", "与", "跟"})
_OF_LANGUAGE = frozenset({"语", "文", "双", "两", "互"})
_FOLK_WITHIN = 1
_MOST_BETWEEN = 3


def read_languages(reading: Reading) -> tuple[str, ...] | None:
    """ISO 639-1 codes in the order of mention."""
    makers = {m.start for m in reading.all("demonym") if reading.is_negated(m.start)} | maker_positions(
        reading
    )
    others = makers | {match.start for match in reading.all("language") if _is_of_folk(reading, match.end)}
    stated = [match for match in reading.stated("language") if not is_forgotten(reading, match)]
    named = [(match.start, match.value) for match in stated if match.start not in others]
    named += [*_code_pairs(reading), *_listed_codes(reading), *_locales(reading), *_runs(reading)]
    return tuple(dict.fromkeys(code for _, code in sorted(named, key=lambda pair: pair[0]))) or None


def _is_of_folk(reading: Reading, end: int) -> bool:
    """ "My Danish colleague", "a French insurance company": who is from there, which is no text in that language."""
    return reading.after(end, "folk", _FOLK_WITHIN) is not None


def _code_pairs(reading: Reading) -> Iterator[tuple[int, str]]:
    """Pairs in short forms: "en->fr", "英译波兰语"."""
    codes, tokens = _codes(), reading.tokens
    short = load("languages")["one_char_names"]
    for at in range(len(tokens) - 2):
        if tokens[at].text in codes:
            for target in (at + 2, at + 3, at + 4):
                if target < len(tokens) and tokens[target].text in codes and _is_arrow(reading, at, target):
                    yield from ((at, codes[tokens[at].text]), (target, codes[tokens[target].text]))
        if (
            tokens[at].text in short
            and tokens[at + 1].text in ("译", "翻")
            and reading.at(at + 2, "language")
        ):
            yield at, str(short[tokens[at].text])


def _is_arrow(reading: Reading, source: int, target: int) -> bool:
    mark = "".join(token.text for token in reading.tokens[source + 1 : target])
    return mark in load("languages")["arrows"] and (mark != "-" or reading.has("task", "translation"))


def _listed_codes(reading: Reading) -> Iterator[tuple[int, str]]:
    """Two codes or more in a list, in capitals ("EN, DE and IT") or, where one can be nothing else, small ("en,fr")."""
    codes, joints = _codes(), {str(joint) for joint in load("languages")["code_joints"]}
    run: list[int] = []
    for at, token in enumerate([*reading.tokens, None]):
        if token is not None and token.text in codes and _may_be_code(reading, at):
            between = [t.text for t in reading.tokens[run[-1] + 1 : at]] if run else []
            if run and not (between and len(between) <= _MOST_BETWEEN and joints.issuperset(between)):
                yield from _certain(reading, run)
                run = []
            run.append(at)
    yield from _certain(reading, run)


def _may_be_code(reading: Reading, at: int) -> bool:
    return _is_capital(reading, at) or reading.tokens[at].text in load("languages")["plain_codes"]


def _certain(reading: Reading, run: list[int]) -> Iterator[tuple[int, str]]:
    anchors = load("languages")["plain_codes"]
    if len(run) > 1 and any(reading.tokens[at].text in anchors for at in run):
        yield from ((at, _codes()[reading.tokens[at].text]) for at in run)


def _is_capital(reading: Reading, at: int) -> bool:
    token = reading.tokens[at]
    return reading.text.cased[token.start : token.end].isupper()


def _locales(reading: Reading) -> Iterator[tuple[int, str]]:
    """ "pt-BR", "zh_TW", "es-419"."""
    tokens, codes = reading.tokens, _codes()
    for at in range(len(tokens) - 2):
        _, mark, region = (token.text for token in tokens[at : at + 3])
        is_joined = mark in ("-", "_") and tokens[at + 1].joined and tokens[at + 2].joined
        is_region = region in load("languages")["regions"] and (
            region.isdigit() or _is_capital(reading, at + 2)
        )
        if is_joined and is_region and tokens[at].text in codes and not _is_capital(reading, at):
            yield at, codes[tokens[at].text]


def _runs(reading: Reading) -> Iterator[tuple[int, str]]:
    """Three or more one-character names in a row (中英日韩): fewer are too often part of other words."""
    names = load("languages")["one_char_names"]
    run: list[tuple[int, str]] = []
    for at, token in enumerate([*reading.tokens, None]):
        if token is not None and token.text in names:
            run.append((at, str(names[token.text])))
            continue
        if token is not None and run and at == run[-1][0] + 1 and token.text in _LISTING:
            continue
        is_named = token is not None and token.text in _OF_LANGUAGE and at == run[-1][0] + 1 if run else False
        if len(run) >= _LEAST_RUN or (len(run) > 1 and is_named):
            yield from run
        run = []


@lru_cache
def _codes() -> dict[str, str]:
    """Codes as people write them ("jp" for "ja"), and what they are in ISO 639-1."""
    content = load("languages")
    other: dict[str, str] = content["other_codes"]
    return {str(code): str(code) for code in content["phrases"]["language"]} | other
