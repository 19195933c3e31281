"""A payload for Slack -> what Slack would refuse about it.

Ours, written from Slack's published limits; independent of the code that builds the blocks.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

Payload = dict[str, Any]
_MENUS = {"static_select", "multi_static_select", "overflow", "radio_buttons", "checkboxes"}

MAX_BLOCKS = {"message": 50, "modal": 100, "home": 100}
TEXT_CHARS = 40_000
MESSAGE_CHARS = 13_200
TEXT_LIMITS = {"section": 3_000, "header": 150, "markdown": 12_000, "context": 3_000}
ELEMENT_LIMITS = {"actions": 25, "context": 10, "context_actions": 5}
FIELD_CHARS = {
    "action_id": 255, "block_id": 255, "callback_id": 255, "private_metadata": 3_000, "url": 3_000,
}  # fmt: skip
KNOWN_BLOCKS = {
    "section", "context", "actions", "markdown", "divider", "header", "input", "rich_text", "image", "table",
    "context_actions",
}  # fmt: skip
ONLY_IN_MESSAGES = {"markdown", "table", "context_actions"}
TABLE_ROWS, TABLE_COLUMNS, TABLE_CHARS = 100, 20, 10_000
MAX_OPTIONS = 100
VIEW_BYTES = 250_000


def message_problems(arguments: Payload) -> list[str]:
    """Why Slack would refuse a message; empty when it would not."""
    blocks = arguments.get("blocks") or []
    problems = _block_problems(blocks, "message")
    if not blocks and not arguments.get("text"):
        problems.append("no_text")
    if len(arguments.get("text") or "") > TEXT_CHARS:
        problems.append("msg_too_long")
    if sum(block["type"] == "table" for block in blocks) > 1:
        problems.append("only one table is possible")
    if sum(len(text) for text in _texts(blocks)) > MESSAGE_CHARS:
        problems.append("msg_blocks_too_long")
    return problems


def view_problems(view: Payload) -> list[str]:
    """Why Slack would refuse a view; empty when it would not."""
    problems = _block_problems(view.get("blocks") or [], view["type"])
    for field in ("title", "submit", "close"):
        if len((view.get(field) or {}).get("text", "")) > 24:
            problems.append(f"{field} is longer than 24")
    if view["type"] == "modal" and not view.get("title"):
        problems.append("a modal needs a title")
    if any(block["type"] == "input" for block in view["blocks"]) and not view.get("submit"):
        problems.append("inputs need a submit button")
    if len(json.dumps(view).encode()) > VIEW_BYTES:
        problems.append("view is larger than 250 kB")
    return problems + list(_field_problems(view))


def _block_problems(blocks: list[Payload], surface: str) -> list[str]:
    problems = [f"{len(blocks)} blocks"] if len(blocks) > MAX_BLOCKS[surface] else []
    ids = Counter(block["block_id"] for block in blocks if "block_id" in block)
    problems += [f"block_id {name} twice" for name, count in ids.items() if count > 1]
    for block in blocks:
        problems += _one_block(block, surface)
    return problems


def _one_block(block: Payload, surface: str) -> Iterator[str]:
    kind = block["type"]
    if kind not in KNOWN_BLOCKS or (kind in ONLY_IN_MESSAGES and surface != "message"):
        yield f"block {kind} is not possible in a {surface}"
    for text in _texts(block):
        if len(text) > TEXT_LIMITS.get(kind, 3_000) or not text:
            yield f"{kind} text of {len(text)} characters"
    if len(block.get("elements", [])) > ELEMENT_LIMITS.get(kind, 50):
        yield f"{kind} with {len(block['elements'])} elements"
    ids = Counter(item.get("action_id") for item in block.get("elements", []) if "action_id" in item)
    yield from (f"action_id {name} twice in a block" for name, count in ids.items() if count > 1)
    if kind == "table":
        yield from _table_problems(block)
    if kind == "section" and not (block.get("text") or block.get("fields")):
        yield "a section without text"
    if kind in {"actions", "context"} and not block.get("elements"):
        yield f"{kind} without elements"
    yield from _element_problems(block)
    yield from _field_problems(block)


def _table_problems(block: Payload) -> Iterator[str]:
    rows = block["rows"]
    if not 1 <= len(rows) <= TABLE_ROWS:
        yield f"table of {len(rows)} rows"
    if any(not 1 <= len(row) <= TABLE_COLUMNS for row in rows):
        yield "table row of too many or no cells"
    if sum(len(text) for text in _texts(rows)) > TABLE_CHARS:
        yield "table of too many characters"


def _element_problems(value: Any) -> Iterator[str]:
    """Limits of buttons, options, confirmations and input labels, wherever they are."""
    for part in _parts(value):
        if part.get("type") == "button":
            yield from _too_long(part, "button", text=75, value=2_000)
        if part.get("type") == "input":
            yield from _too_long(part, "input", label=2_000, hint=2_000)
        if "deny" in part:
            yield from _too_long(part, "confirm", title=100, text=300, confirm=30, deny=30)
        yield from _menu_problems(part)
        for option in part.get("options", []):
            yield from _too_long(option, "option", text=75, value=150)
        if part.get("initial_value") == "" or part.get("initial_options") == []:
            yield "an empty initial value"


def _menu_problems(part: Payload) -> Iterator[str]:
    if len(part.get("options", [])) > MAX_OPTIONS or part.get("options") == []:
        yield f"{len(part['options'])} options"
    if part.get("type") in _MENUS and "action_id" not in part:
        yield f"{part['type']} without an action_id"
    if part.get("type") in {"plain_text_input", *_MENUS}:
        yield from _too_long(part, str(part["type"]), placeholder=150)
    if part.get("type") == "plain_text_input":
        yield from _too_long(part, "input", initial_value=part.get("max_length", 3_000))


def _parts(value: Any) -> Iterator[Payload]:
    """A payload and every object inside it."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for item in value if isinstance(value, list) else []:
        yield from _parts(item)


def _too_long(value: Payload, kind: str, /, **limits: int) -> Iterator[str]:
    for name, limit in limits.items():
        content = value.get(name) or ""
        text = content if isinstance(content, str) else content["text"]
        if len(text) > limit:
            yield f"{kind} {name} of {len(text)} characters"


def _field_problems(value: Payload) -> Iterator[str]:
    for name, limit in FIELD_CHARS.items():
        if len(str(value.get(name) or "")) > limit:
            yield f"{name} is longer than {limit}"


def _texts(value: Any) -> Iterator[str]:
    """Every text that a reader sees."""
    return (part["text"] for part in _parts(value) if isinstance(part.get("text"), str))
