"""Mentions, direct messages and follow-ups -> the inbox, before Slack is told that they arrived.

The middleware runs before the acknowledgement; the listeners only tell Bolt that these events are expected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from slack_bolt import App, BoltContext, BoltResponse
from slack_sdk import WebClient

from bot.receiving import receive
from bot.surface import Surface

_MESSAGES = frozenset({"app_mention", "message"})


def register(app: App, surface: Surface) -> None:
    """Listen for messages."""

    @app.middleware
    def take_in(
        body: Mapping[str, Any], context: BoltContext, client: WebClient, next: Callable[[], BoltResponse]
    ) -> BoltResponse:
        event = body.get("event") or {}
        if event.get("type") in _MESSAGES:
            receive(surface, client, event, team=context.team_id or "", bot_user=context.bot_user_id or "")
        return next()

    for name in sorted(_MESSAGES):
        app.event(name)(_expected)


def _expected() -> None:
    """Taken in already."""
