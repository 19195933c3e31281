from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import yaml
from slack_bolt import App

from bot.slack import register_listeners
from bot.surface import Surface

MANIFEST = yaml.safe_load((Path(__file__).parents[2] / "manifest.yaml").read_text(encoding="utf-8"))


class Registered:
    """Notes what the listeners listen for, in place of an app."""

    def __init__(self) -> None:
        self.names: dict[str, set[str]] = defaultdict(set)

    def __getattr__(self, kind: str) -> Callable[[Any], Callable[[Any], Any]]:
        def register(name: Any) -> Callable[[Any], Any]:
            self.names[kind].add(str(name))
            return lambda listener: listener

        return register


def registered() -> dict[str, set[str]]:
    app = Registered()
    register_listeners(cast(App, app), cast(Surface, None))
    return app.names


def test_manifest_and_code_know_the_same_commands() -> None:
    commands = {command["command"] for command in MANIFEST["features"]["slash_commands"]}

    assert commands == registered()["command"]


def test_manifest_and_code_know_the_same_events() -> None:
    events = {name.partition(".")[0] for name in MANIFEST["settings"]["event_subscriptions"]["bot_events"]}

    assert events == registered()["event"]


def test_manifest_and_code_know_the_same_shortcuts() -> None:
    shortcuts = {shortcut["callback_id"] for shortcut in MANIFEST["features"]["shortcuts"]}

    assert shortcuts == registered()["shortcut"]
    assert all(len(shortcut["name"]) <= 24 for shortcut in MANIFEST["features"]["shortcuts"])


def test_manifest_has_the_scope_for_each_kind_of_message() -> None:
    scopes = set(MANIFEST["oauth_config"]["scopes"]["bot"])
    kinds = {
        name.partition(".")[2]
        for name in MANIFEST["settings"]["event_subscriptions"]["bot_events"]
        if name.startswith("message.")
    }

    assert {f"{kind.removesuffix('s')}:history" for kind in kinds} <= {
        scope.replace("channels:", "channel:").replace("groups:", "group:") for scope in scopes
    }


def test_interactivity_is_on_because_there_are_buttons_and_forms() -> None:
    assert registered()["action"]
    assert registered()["view"]
    assert MANIFEST["settings"]["interactivity"]["is_enabled"] is True


def test_manifest_keeps_the_limits_of_slack() -> None:
    assert len(MANIFEST["features"]["agent_view"]["suggested_prompts"]) <= 4
    assert len(MANIFEST["display_information"]["description"]) <= 140
    assert 174 <= len(MANIFEST["display_information"]["long_description"]) <= 4_000
