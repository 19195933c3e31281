"""Defaults <-> words: what a person types after `/shortlist defaults`, what the form holds, and how they are shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from bot import ask_wording
from bot.wording import filled, say
from index.bilingual import Bilingual, Language
from index.prices import find_gpu
from skills.conversation.defaults import FIELDS, Defaults
from skills.conversation.request import Currency, Gpus, Requirements
from skills.stated import stated

_CODES = (
    "AED|AUD|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|MYR|NOK|NZD|PHP|PLN|RON|SAR|"
    "SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR"
)
"""Currencies that are recognised in a sentence, where "RTX 4090" is none. The form takes any."""
_CURRENCY = re.compile(
    rf"\b(?P<code>{_CODES})\s*(?:(?:at|@|=|按|合)\s*)?(?P<rate>\d+(?:\.\d+)?)|"
    rf"(?P<rate2>\d+(?:\.\d+)?)\s*(?P<code2>{_CODES})\b\s*(?:per|for|a|/)\s*(?:1\s*)?USD"
)
_ALPHA = re.compile(r"\balpha\b\s*(?:=|:|of|is|at|为|是)?\s*(\d+(?:\.\d+)?)", re.IGNORECASE)


class NotRead(ValueError):
    """Nothing in the words is a default."""


def shown(defaults: Defaults, language: Language) -> str:
    """The defaults in a breath."""
    held = {name: getattr(defaults, name) for name in FIELDS}
    parts = []
    if any(value is not None for value in held.values()):
        parts.append(stated(Requirements.model_validate(held), language))
    if defaults.currency:
        rate = f"{defaults.currency.per_usd:g}"
        parts.append(say(ask_wording.IN_CURRENCY, language, code=defaults.currency.code, rate=rate))
    separator = "、" if language == "zh" else ", "
    return separator.join(parts) or ask_wording.NO_DEFAULTS.to(language)


def read_words(words: str, understand: Callable[[str], Requirements]) -> Defaults:
    """Defaults in a person's own words. NotRead where there are none."""
    found: dict[str, Any] = {}
    if money := _CURRENCY.search(words):
        code, rate = money["code"] or money["code2"], money["rate"] or money["rate2"]
        if code != "USD" and float(rate) > 0:
            found["currency"] = Currency(code=code, per_usd=float(rate))
            words = words.replace(money[0], " ")
    if alpha := _ALPHA.search(words):
        found["alpha"] = float(alpha[1])
        words = words.replace(alpha[0], " ")
    if re.search(r"\w", words):
        said = understand(words)
        gpus = said.gpus or (Gpus(memory_gib=said.max_memory_gib) if said.max_memory_gib else None)
        found |= {"gpus": gpus, "licences": said.licences, "languages": said.languages}
    defaults = Defaults.model_validate({name: value for name, value in found.items() if value is not None})
    if defaults.is_empty:
        raise NotRead(words)
    return defaults


def read_form(values: Mapping[str, Any]) -> tuple[Defaults, dict[str, Bilingual]]:
    """Defaults as the form holds them, and what is wrong with it, by field."""
    errors: dict[str, Bilingual] = {}
    numbers = {name: _positive(values, name, errors) for name in ("gpu_count", "gpu_memory", "alpha", "rate")}
    defaults = Defaults(
        gpus=_gpus(values.get("gpu_name") or "", numbers, errors),
        licences=tuple(values.get("licences") or ()) or None,
        languages=tuple(values.get("languages") or ()) or None,
        alpha=numbers["alpha"],
        currency=_currency(values.get("currency") or "", numbers["rate"], errors),
    )
    return defaults, errors


def _positive(values: Mapping[str, Any], name: str, errors: dict[str, Bilingual]) -> float | None:
    text = str(values.get(name) or "").replace(",", "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e9 or (name == "gpu_count" and number != int(number)):
        errors[name] = filled(ask_wording.NOT_A_NUMBER, value=text)
        return None
    return number


def _gpus(name: str, numbers: Mapping[str, float | None], errors: dict[str, Bilingual]) -> Gpus | None:
    memory_gib, count = numbers["gpu_memory"], numbers["gpu_count"]
    if not name and memory_gib is None:
        return None
    if memory_gib is None and find_gpu(name) is None:
        errors["gpu_name"] = filled(ask_wording.GPU_UNKNOWN, value=name)
        return None
    return Gpus(name=name or None, count=int(count or 1), memory_gib=memory_gib)


def _currency(code: str, rate: float | None, errors: dict[str, Bilingual]) -> Currency | None:
    code = code.strip().upper()
    if not code and rate is None:
        return None
    if "rate" in errors:
        return None
    if not re.fullmatch(r"[A-Z]{3}", code):
        errors["currency"] = (
            filled(ask_wording.NOT_A_CURRENCY, value=code) if code else ask_wording.BOTH_NEEDED
        )
        return None
    if code == "USD":
        return None
    if rate is None:
        errors["rate"] = ask_wording.BOTH_NEEDED
        return None
    return Currency(code=code, per_usd=rate)
