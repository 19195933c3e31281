"""Values of the catalogue -> words, and whether they are what a question names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from index.bilingual import Bilingual
from index.records import ModelFact
from skills.conversation.parse.lexicon import load
from skills.fact import Question

_LANGUAGES_SHOWN = 12


def _count(_question: Question, _model: ModelFact, value: int) -> Bilingual:
    return Bilingual(f"{value:,}", f"{value:,}")


def _billions(_question: Question, model: ModelFact, value: float) -> Bilingual:
    total, active = _size(value), model.active_params_b
    if active is None:
        return Bilingual(f"{total} parameters", f"{total} 参数")
    return Bilingual(
        f"{total} parameters ({_size(active)} active per token)",
        f"{total} 参数（每个 token 激活 {_size(active)}）",
    )


def _size(params_b: float) -> str:
    return f"{params_b:.3g}B" if params_b >= 1 else f"{params_b * 1000:.3g}M"


def _text(_question: Question, _model: ModelFact, value: object) -> Bilingual:
    return Bilingual(str(value), str(value))


def _codes(question: Question, _model: ModelFact, value: Sequence[str]) -> Bilingual:
    asked = [code for code in question.stated("languages") or () if code in value]
    names = [_language_name(code) for code in dict.fromkeys((*asked, *value))]
    shown = names[:_LANGUAGES_SHOWN]
    english, chinese = ", ".join(n.en for n in shown), "、".join(n.zh for n in shown)
    if len(names) == len(shown):
        return Bilingual(english, chinese)
    more = len(names) - len(shown)
    return Bilingual(
        f"{len(names)} languages: {english} and {more} more",
        f" {len(names)} 种语言：{chinese}等（另有 {more} 种）",
    )


def _language_name(code: str) -> Bilingual:
    english, chinese = load("languages")["names"].get(code, (code, code))
    return Bilingual(english, chinese)


def _inputs(_question: Question, _model: ModelFact, value: Sequence[str]) -> Bilingual:
    names = [Bilingual(**load("facts")["inputs"].get(name, {"en": name, "zh": name})) for name in value]
    return Bilingual(", ".join(name.en for name in names), "、".join(name.zh for name in names))


STYLES: dict[str, Callable[[Question, ModelFact, Any], Bilingual]] = {
    "count": _count,
    "billions": _billions,
    "text": _text,
    "codes": _codes,
    "inputs": _inputs,
}


def _licence_fits(question: Question, value: str) -> bool | None:
    asked = question.stated("licences")
    return value in asked if asked and asked != ("commercial",) else None


def _commercial_fits(question: Question, value: str) -> bool | None:
    return {"yes": True, "no": False}.get(value) if question.stated("licences") else None


def _all_listed(field: str) -> Callable[[Question, Sequence[str]], bool | None]:
    def check(question: Question, value: Sequence[str]) -> bool | None:
        asked = question.stated(field)
        return set(asked) <= set(value) if asked else None

    return check


def _long_enough(question: Question, value: int) -> bool | None:
    asked = question.stated("min_context_tokens")
    return value >= asked if asked else None


CHECKS: dict[str, Callable[[Question, Any], bool | None]] = {
    "licence": _licence_fits,
    "commercial": _commercial_fits,
    "languages": _all_listed("languages"),
    "modalities": _all_listed("modalities"),
    "context": _long_enough,
}
