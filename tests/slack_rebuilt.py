"""Blocks and views as payloads -> what the libraries of others would refuse about them.

`slackblocks` checks lengths and counts when its objects are made, so each payload is made again from them;
`slack_sdk` checks required fields and types when its objects are validated. Neither knows our limits, nor we theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

slackblocks = pytest.importorskip("slackblocks", reason="a dependency for development: make setup")

Payload = dict[str, Any]
_LISTS = frozenset({"blocks", "elements", "options", "option_groups", "initial_options", "fields"})
_OBJECTS = frozenset(
    {
        "text",
        "title",
        "submit",
        "close",
        "label",
        "hint",
        "placeholder",
        "description",
        "element",
        "accessory",
        "confirm",
        "deny",
        "initial_option",
    }
)


def refused_by_others(payload: Payload) -> list[str]:
    """Why slackblocks or slack_sdk would refuse a view or the arguments of a message; empty when they would not."""
    try:
        if payload.get("type") in ("modal", "home"):
            _view(payload)
            View(**payload).validate_json()
        else:
            slackblocks.Message(
                channel="C1", text=payload["text"], blocks=[_made(b) for b in payload["blocks"]]
            )
        for block in payload["blocks"]:
            Block.parse(block).validate_json()  # type: ignore[union-attr]
    except Exception as error:  # each library has its own
        return [f"{type(error).__name__}: {error}"]
    return []


def _view(view: Payload) -> object:
    blocks = [_made(block) for block in view["blocks"]]
    if view["type"] == "home":
        return slackblocks.HomeTabView(blocks=blocks)
    texts = {name: _made(view[name]) for name in ("title", "submit", "close") if name in view}
    more = {name: view[name] for name in ("private_metadata", "callback_id", "external_id") if name in view}
    return slackblocks.ModalView(blocks=blocks, **texts, **more)


def _made(part: Payload) -> object:
    """The part as an object of slackblocks, which checks it."""
    kind = part.get("type", "")
    if kind in ("plain_text", "mrkdwn"):
        return slackblocks.Text(part["text"], type_=slackblocks.TextType(kind))
    if kind == "text":
        return slackblocks.RichText(part["text"])
    if "option_groups" in part:
        # Slack takes an option of a group here; slackblocks asks for a group: the option is checked by itself.
        part = {name: value for name, value in part.items() if name != "initial_option" or not _made(value)}
    values = {name: _value(name, value) for name, value in part.items() if name != "type"}
    return _maker(kind, part)(**values)


def _value(name: str, value: Any) -> Any:
    if name in _LISTS:
        return [_made(item) for item in value]
    return _made(value) if name in _OBJECTS and isinstance(value, dict) else value


def _maker(kind: str, part: Payload) -> Callable[..., object]:
    if not kind:
        return _untyped(part)
    made: dict[str, Callable[..., object]] = {
        "section": slackblocks.SectionBlock,
        "context": slackblocks.ContextBlock,
        "actions": slackblocks.ActionsBlock,
        "input": slackblocks.InputBlock,
        "divider": slackblocks.DividerBlock,
        "markdown": slackblocks.MarkdownBlock,
        "rich_text": slackblocks.RichTextBlock,
        "rich_text_preformatted": slackblocks.RichTextCodeBlock,
        "button": slackblocks.Button,
        "static_select": slackblocks.StaticSelectMenu,
        "checkboxes": slackblocks.CheckboxGroup,
        "plain_text_input": slackblocks.PlainTextInput,
        "number_input": slackblocks.NumberInput,
        "file_input": slackblocks.FileInput,
    }
    return made[kind]


def _untyped(part: Payload) -> Callable[..., object]:
    """Objects without a type are told by what they have."""
    if "deny" in part:
        return slackblocks.ConfirmationDialogue  # type: ignore[no-any-return]
    return slackblocks.OptionGroup if "label" in part else slackblocks.Option  # type: ignore[no-any-return]
