"""A model and a benchmark -> its published figures, each with setting, kind and source; or which benchmarks there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from index.bilingual import Bilingual, Language
from index.catalogue import Catalogue
from index.records import Evidence, ModelFact
from skills.cited import Sources
from skills.conversation.parse.lexicon import words
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.text import tokenize
from skills.evidence import figures_newest_first, kind_name
from skills.wording import short_name

_LONGEST_NAME = 7
"""Tokens of a benchmark's name, at most."""
_FIGURES_SHOWN = 6
_FIGURES_A_LINE = 3
_NAMES_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which figures are asked for: of benchmarks by name, or of a task or a language."""

    benchmarks: tuple[str, ...] = ()
    task: str | None = None
    languages: tuple[str, ...] = ()
    is_alone: bool = True
    """One model and nothing else is asked about: then each figure has a line of its own."""


def benchmarks_named(reading: Reading, catalogue: Catalogue) -> tuple[str, ...]:
    """The benchmarks that a text names, however they are spelled; "MMLU" is all that is called so, the plain one first."""
    index = _index(tuple(catalogue.benchmarks))
    inside_names = {i for match in reading.all("name") for i in range(match.start, match.end)}
    tokens = [t for i, t in enumerate(reading.text.tokens) if i not in inside_names and _letters(t.text)]
    found: list[str] = []
    at = 0
    while at < len(tokens):
        for length in range(min(_LONGEST_NAME, len(tokens) - at), 0, -1):
            said = tokens[at : at + length]
            key = "".join(_letters(token.text) for token in said)
            written = reading.text.cased[said[0].start : said[-1].end]
            if key in index and (written.isupper() or key not in words("facts", "ordinary_benchmarks")):
                found += index[key]
                break
        else:
            length = 1
        at += length
    return tuple(dict.fromkeys(found))


def line(model: ModelFact, wanted: Wanted, catalogue: Catalogue, sources: Sources, language: Language) -> str:
    """The figures that are asked for, or which ones there are instead."""
    figures = figures_newest_first(catalogue.evidence_of(model.id))
    name = short_name(model.id)
    chosen = list(_chosen(figures, wanted))
    if not chosen:
        return _missing(model, wanted, catalogue, language)
    most = _FIGURES_SHOWN if wanted.is_alone else _FIGURES_A_LINE
    told = [_figure(item, model, wanted, sources, language) for item in chosen[:most]]
    rest = len(chosen) - most
    more = Bilingual(f"and {rest} more", f"另有 {rest} 条").to(language) if rest > 0 else ""
    subject = wanted.benchmarks[0] if wanted.benchmarks else ""
    on = Bilingual(f" on {subject}", f" 的 {subject} 成绩").to(language) if subject else ""
    colon = "：" if language == "zh" else ": "
    if not wanted.is_alone or len(told) == 1:
        return f"{name}{on}{colon}{'; '.join([*told, *([more] if more else [])])}"
    count = Bilingual(f", {len(chosen)} figures:", f"，共 {len(chosen)} 条：").to(language)
    bullets = "\n".join(f"- {item}" for item in [*told, *([more] if more else [])])
    return f"{name}{on}{count}\n{bullets}"


def names_line(model: ModelFact, catalogue: Catalogue, language: Language) -> str:
    """Which benchmarks there are figures of; empty without any."""
    names = list(dict.fromkeys(item.benchmark.name for item in catalogue.evidence_of(model.id)))
    figures = _named(names, language)
    return f"{figures[0].upper()}{figures[1:]}" if names else ""


def _chosen(figures: Sequence[Evidence], wanted: Wanted) -> Iterator[Evidence]:
    if wanted.benchmarks:
        order = {name: place for place, name in enumerate(wanted.benchmarks)}
        yield from sorted(
            (item for item in figures if item.benchmark.name in order), key=lambda i: order[i.benchmark.name]
        )
    elif wanted.task or wanted.languages:
        seen: set[str] = set()
        for item in figures:
            benchmark = item.benchmark
            is_task = wanted.task is None or benchmark.task == wanted.task
            is_language = not wanted.languages or benchmark.language in wanted.languages
            if is_task and is_language and benchmark.name not in seen:
                seen.add(benchmark.name)
                yield item


def _figure(item: Evidence, model: ModelFact, wanted: Wanted, sources: Sources, language: Language) -> str:
    """ "71.56 (5-shot; published, 2025-08-20) [1]", with the benchmark's name unless it is the one asked about."""
    top = item.benchmark.scale_max
    score = f"{item.score:g}" if top in (None, 100) else f"{item.score:g} / {top:g}"
    kind = kind_name(item.kind, language)
    about = "; ".join(part for part in (item.setting, f"{kind}, {item.date}" if item.date else kind) if part)
    mark = sources.mark(title=short_name(model.id), source=item.source.url, locator=item.source.name)
    is_the_one = wanted.benchmarks[:1] == (item.benchmark.name,)
    lead = "" if is_the_one else f"{item.benchmark.name} "
    return f"{lead}{score} ({about}) {mark}"


def _missing(model: ModelFact, wanted: Wanted, catalogue: Catalogue, language: Language) -> str:
    name = short_name(model.id)
    held = list(dict.fromkeys(item.benchmark.name for item in catalogue.evidence_of(model.id)))
    if not held:
        return Bilingual(
            f"The catalogue holds no benchmark figure of {name}.",
            f"目录中没有 {name} 的基准成绩。",
        ).to(language)
    asked = wanted.benchmarks[0] if wanted.benchmarks else ""
    held.sort(key=lambda other: not (asked and _squashed(asked) in _squashed(other)))
    names = _named(held, language)
    if asked:
        return Bilingual(
            f"I know no {asked} figure of {name}; there are {names}", f"没有 {name} 的 {asked} 成绩。{names}"
        ).to(language)
    return Bilingual(f"{name} has {names}", f"{name} {names}").to(language)


def _named(names: Sequence[str], language: Language) -> str:
    shown, rest = names[:_NAMES_SHOWN], len(names) - _NAMES_SHOWN
    more = Bilingual(
        f" and {rest} more" if rest > 0 else "", f" 等（另有 {rest} 个）" if rest > 0 else ""
    ).to(language)
    joined = ("、" if language == "zh" else ", ").join(shown)
    count = len(names)
    plural = "" if count == 1 else "s"
    return Bilingual(
        f"figures on {count} benchmark{plural}: {joined}{more}.", f"有 {count} 个基准的成绩：{joined}{more}。"
    ).to(language)


@lru_cache
def _index(names: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """A name without its marks -> the benchmarks that bear it, with and without what stands in brackets."""
    index: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names, key=len):
        for key in dict.fromkeys((_squashed(name), _squashed(name.partition(" (")[0]))):
            index[key].append(name)
    return {key: tuple(listed) for key, listed in index.items() if key}


def _squashed(name: str) -> str:
    return "".join(_letters(token.text) for token in tokenize(name.lower()))


def _letters(text: str) -> str:
    return "plus" if text == "+" else text if text[0].isalnum() and text.isascii() else ""
