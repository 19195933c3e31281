"""Buttons of an earlier version of the bot -> a word that they do nothing any more. Registered last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from slack_bolt import Ack, App, Respond

from bot import launch_wording
from bot.listeners.forms import tell
from bot.surface import Surface
from skills.conversation.language import language_of


def register(app: App, surface: Surface) -> None:  # noqa: ARG001  all listeners are registered alike
    """Listen for every action that nobody else listens for."""

    @app.action(re.compile(".*"))
    def on_unknown(ack: Ack, body: Mapping[str, Any], respond: Respond) -> None:
        ack()
        action = body["actions"][0]
        # Menus and boxes of a form are read when it is submitted; links open by themselves.
        if action.get("type") != "button" or action.get("url") or "view" in body:
            return
        tell(respond, launch_wording.STALE_BUTTON.to(language_of(action["text"]["text"])))
