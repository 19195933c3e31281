"""Thumbs under an answer -> the store; for one that points down, a form that asks why, if they care to say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from slack_bolt import Ack, App, Respond
from slack_sdk import WebClient

from bot import ask_wording
from bot.feedback import Feedback
from bot.listeners.forms import open_view, tell
from bot.render.asking import GIVE_REASON, origin_of, reason_form, submitted
from bot.render.slack import ACTION_PREFIX
from bot.surface import Surface
from index.bilingual import Language


def register(app: App, surface: Surface) -> None:
    """Listen for votes and their reasons."""

    @app.action(f"{ACTION_PREFIX}feedback")
    def on_vote(ack: Ack, body: Mapping[str, Any], client: WebClient, respond: Respond) -> None:
        ack()
        value = json.loads(body["actions"][0]["value"])
        exchange, language = int(value["exchange"]), _language(value)
        if surface.threads.exchange(exchange) is None:
            tell(respond, ask_wording.FORGOTTEN.to(language))
            return
        is_good = value["vote"] == 1
        Feedback(surface.engine).vote(exchange, body["user"]["id"], is_good=is_good)
        if is_good:
            tell(respond, ask_wording.THANKS.to(language))
            return
        view = reason_form({"exchange": exchange}, language)
        open_view(client, respond, view, trigger_id=body["trigger_id"], language=language)

    @app.view(GIVE_REASON)
    def on_reason(ack: Ack, body: Mapping[str, Any]) -> None:
        ack()
        reason = submitted(body["view"])["reason"]
        if reason:
            exchange = int(origin_of(body["view"])["exchange"])
            Feedback(surface.engine).explain(exchange, body["user"]["id"], reason)


def _language(value: Mapping[str, Any]) -> Language:
    return "zh" if value.get("language") == "zh" else "en"
