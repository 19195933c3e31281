"""The small forms around answers: a question about a message, the reason of a vote, the defaults of a team."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot import ask_wording
from bot.render.slack import Block, shortened
from index.bilingual import Bilingual, Language
from skills.conversation.defaults import Defaults

ASK_ABOUT = "shortlist_ask_about"
GIVE_REASON = "shortlist_give_reason"
SAVE_DEFAULTS = "shortlist_save_defaults"

QUESTION_CHARS = 3_000
LICENCES = ("commercial", "Apache-2.0", "MIT", "BSD-3-Clause", "CC-BY-4.0", "Llama", "Gemma")


def ask_form(message_text: str, origin: Mapping[str, Any], language: Language) -> Block:
    """A question, with what somebody wrote as its beginning."""
    field = _text_input(
        "question", ask_wording.ASK_LABEL, shortened(message_text, QUESTION_CHARS), language, multiline=True
    )
    field |= {"hint": _plain(ask_wording.ASK_HINT, language)}
    return _modal(ASK_ABOUT, ask_wording.ASK_TITLE, ask_wording.ASK_BUTTON, [field], origin, language)


def reason_form(origin: Mapping[str, Any], language: Language) -> Block:
    """Why an answer was not good, if they care to say."""
    field = _text_input("reason", ask_wording.WHY_LABEL, "", language, multiline=True)
    field |= {"optional": True, "hint": _plain(ask_wording.WHY_HINT, language)}
    return _modal(GIVE_REASON, ask_wording.WHY_TITLE, ask_wording.SEND, [field], origin, language)


def defaults_form(known: Defaults, origin: Mapping[str, Any], language: Language) -> Block:
    """What the team takes for granted; every field may stay empty."""
    gpus = known.gpus
    shown = {
        "gpu_count": _number(gpus.count) if gpus else "",
        "gpu_memory": _number(gpus.memory_gib) if gpus else "",
        "gpu_name": (gpus.name or "") if gpus else "",
        "alpha": _number(known.alpha),
        "currency": known.currency.code if known.currency else "",
        "rate": _number(known.currency.per_usd) if known.currency else "",
    }
    fields = {
        "gpu_count": ask_wording.GPU_COUNT,
        "gpu_memory": ask_wording.GPU_MEMORY,
        "gpu_name": ask_wording.GPU_NAME,
        "alpha": ask_wording.ALPHA,
        "currency": ask_wording.CURRENCY,
        "rate": ask_wording.RATE,
    }
    hints = {
        "gpu_name": ask_wording.GPU_NAME_HINT,
        "alpha": ask_wording.ALPHA_HINT,
        "rate": ask_wording.RATE_HINT,
    }
    blocks = {name: _text_input(name, label, shown[name], language) for name, label in fields.items()}
    for name, hint in hints.items():
        blocks[name] |= {"hint": _plain(hint, language)}
    licence_names = {name: Bilingual(name, name) for name in LICENCES} | {
        "commercial": ask_wording.COMMERCIAL
    }
    chosen = [*(known.licences or ())]
    licence_names |= {name: Bilingual(name, name) for name in chosen if name not in licence_names}
    licences = _choices("licences", ask_wording.LICENCES, licence_names, chosen, language)
    codes = ask_wording.LANGUAGE_NAMES | {
        code: Bilingual(code, code)
        for code in known.languages or ()
        if code not in ask_wording.LANGUAGE_NAMES
    }
    languages = _choices("languages", ask_wording.LANGUAGES, codes, [*(known.languages or ())], language)
    order = [
        *(blocks[name] for name in ("gpu_count", "gpu_memory", "gpu_name")),
        licences,
        languages,
        *(blocks[name] for name in ("alpha", "currency", "rate")),
    ]
    every = [block | {"optional": True} for block in order]
    return _modal(SAVE_DEFAULTS, ask_wording.DEFAULTS_TITLE, ask_wording.SAVE, every, origin, language)


def submitted(view: Mapping[str, Any]) -> dict[str, Any]:
    """What was filled in, by field: text, or the chosen values."""
    found: dict[str, Any] = {}
    for name, block in view["state"]["values"].items():
        state = next(iter(block.values()))
        if "selected_options" in state:
            found[name] = [option["value"] for option in state["selected_options"]]
        else:
            found[name] = (state.get("value") or "").strip()
    return found


def origin_of(view: Mapping[str, Any]) -> dict[str, Any]:
    """Where a form was opened from."""
    origin: dict[str, Any] = json.loads(view["private_metadata"])
    return origin


def _modal(
    callback_id: str,
    title: Bilingual,
    submit: Bilingual,
    blocks: Sequence[Block],
    origin: Mapping[str, Any],
    language: Language,
) -> Block:
    return {
        "type": "modal",
        "callback_id": callback_id,
        "private_metadata": json.dumps({**origin, "language": language}),
        "title": _plain(title, language),
        "submit": _plain(submit, language),
        "close": _plain(ask_wording.CANCEL, language),
        "blocks": list(blocks),
    }


def _text_input(
    name: str, label: Bilingual, value: str, language: Language, *, multiline: bool = False
) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": "value", "multiline": multiline}
    element |= {"max_length": QUESTION_CHARS if multiline else 100}
    if value:
        element["initial_value"] = value
    return {"type": "input", "block_id": name, "label": _plain(label, language), "element": element}


def _choices(
    name: str,
    label: Bilingual,
    names: Mapping[str, Bilingual],
    chosen: Sequence[str],
    language: Language,
) -> Block:
    options = {
        value: {"text": _plain(text, language), "value": value} for value, text in list(names.items())[:100]
    }
    element: Block = {"type": "multi_static_select", "action_id": "value", "options": [*options.values()]}
    if initial := [options[value] for value in chosen if value in options]:
        element["initial_options"] = initial
    return {"type": "input", "block_id": name, "label": _plain(label, language), "element": element}


def _plain(text: Bilingual, language: Language) -> Block:
    return {"type": "plain_text", "text": text.to(language)}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
