"""A slash command as it was typed: what all that answer one need to know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt import BoltContext, Respond
from slack_sdk import WebClient

from bot.inbound import Place, plain_text
from bot.surface import Surface
from index.bilingual import Language
from skills.conversation.language import language_of


class Typed:
    """One command: who typed what, where, and how to answer. Slack sends no thread with a command."""

    def __init__(
        self, command: Mapping[str, Any], context: BoltContext, client: WebClient, respond: Respond
    ) -> None:
        self.command = command
        self.client = client
        self.respond = respond
        self.person: str = command["user_id"]
        self.words = plain_text(command.get("text") or "", context.bot_user_id or "")
        self.place = Place(team=context.team_id or "", channel=command["channel_id"], thread_ts=None)

    def language(self, surface: Surface) -> Language:
        """The language of the words, or of what was said last."""
        if self.words:
            return language_of(self.words)
        last = surface.threads.last(self.place.thread) or surface.threads.last_by(self.person)
        return last.request.language if last else "en"
