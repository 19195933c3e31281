"""The elements of a form: text, number, menu, boxes, file; and what a submitted one says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.render.slack import Block, shortened
from index.bilingual import Bilingual, Language

INPUT = "value"
TEXT_CHARS = 3_000
OPTION_CHARS = 75

Value = str | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One question of a form. Its name is that of the spec's field, so that an error finds its place."""

    name: str
    label: Bilingual
    kind: Literal["text", "lines", "whole", "number", "menu", "boxes"]
    hint: Bilingual | None = None
    names: Mapping[str, Bilingual] = field(default_factory=dict)
    """What can be chosen, for menus and boxes."""
    usual: Value = ""
    """What it starts with when nothing is said."""
    limits: tuple[str, str | None] = ("0", None)
    is_needed: bool = False

    def block(self, value: Value | None, language: Language) -> Block:
        """The field with its value."""
        element = self._element(self.usual if value is None else value, language)
        return input_block(self.name, self.label, element, language, self.hint, is_needed=self.is_needed)

    def _element(self, value: Value, language: Language) -> Block:
        if self.kind == "boxes":
            return checkboxes(self.names, value if isinstance(value, tuple) else (value,), language)
        text = value if isinstance(value, str) else "\n".join(value)
        if self.kind == "menu":
            return select(self.names, text, language)
        if self.kind in ("whole", "number"):
            least, most = self.limits
            return number_input(text, is_decimal=self.kind == "number", least=least, most=most)
        return text_input(text, multiline=self.kind == "lines")


def input_block(  # noqa: PLR0913  the parts of Slack's block
    name: str,
    label: Bilingual,
    element: Block,
    language: Language,
    hint: Bilingual | None = None,
    *,
    is_needed: bool = True,
    is_live: bool = False,
) -> Block:
    """An element with its label. `is_live`: we hear of every change."""
    block = {
        "type": "input",
        "block_id": name,
        "label": plain(label.to(language)),
        "element": {**element, "action_id": INPUT},
        "optional": not is_needed,
    }
    if is_live:
        block["dispatch_action"] = True
    return block | ({"hint": plain(hint.to(language))} if hint else {})


def text_input(initial: str, *, multiline: bool = False) -> Block:
    """Words."""
    element = {"type": "plain_text_input", "multiline": multiline, "max_length": TEXT_CHARS}
    return _with_initial(element, initial[:TEXT_CHARS])


def number_input(initial: str, *, is_decimal: bool, least: str, most: str | None = None) -> Block:
    """A number. Slack refuses an initial one that is none, or outside the limits."""
    element: Block = {"type": "number_input", "is_decimal_allowed": is_decimal, "min_value": least}
    if most is not None:
        element["max_value"] = most
    return _with_initial(element, initial if _is_within(initial, is_decimal, least, most) else "")


def select(names: Mapping[str, Bilingual], initial: str, language: Language) -> Block:
    """One of a few."""
    options = _options(names, language)
    chosen = next((option for option in options if option["value"] == initial), options[0])
    return {"type": "static_select", "options": options, "initial_option": chosen}


def checkboxes(names: Mapping[str, Bilingual], initial: tuple[str, ...], language: Language) -> Block:
    """Any of a few."""
    options = _options(names, language)
    chosen = [option for option in options if option["value"] in initial]
    return {"type": "checkboxes", "options": options} | ({"initial_options": chosen} if chosen else {})


def option(value: str, label: str) -> Block:
    """One line of a menu."""
    return {"text": plain(shortened(label, OPTION_CHARS)), "value": value}


def submitted(view: Mapping[str, Any]) -> dict[str, Value]:
    """The values of a form by field; a field left empty is ""."""
    state = (view.get("state") or {}).get("values") or {}
    return {block: _value(next(iter(fields.values()))) for block, fields in state.items() if fields}


def plain(text: str) -> Block:
    """Text without markup."""
    return {"type": "plain_text", "text": text}


def _value(element: Mapping[str, Any]) -> Value:
    if element["type"] == "checkboxes":
        return tuple(chosen["value"] for chosen in element.get("selected_options") or ())
    if element["type"] == "file_input":
        return tuple(file["id"] for file in element.get("files") or ())
    if element["type"] == "static_select":
        return (element.get("selected_option") or {}).get("value") or ""
    return str(element.get("value") or "").strip()


def _options(names: Mapping[str, Bilingual], language: Language) -> list[Block]:
    return [option(key, name.to(language)) for key, name in names.items()]


def _with_initial(element: Block, initial: str) -> Block:
    """Slack refuses an empty initial value."""
    return element | ({"initial_value": initial} if initial else {})


def _is_within(text: str, is_decimal: bool, least: str, most: str | None) -> bool:
    try:
        number = float(text) if is_decimal else int(text)
    except ValueError:
        return False
    return number >= float(least) and (most is None or number <= float(most))
