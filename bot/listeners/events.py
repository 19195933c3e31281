"""Mentions, direct messages and follow-ups -> one answer each.

A message is claimed in the store before it is answered, so that a redelivery, or the `message` twin of a
mention, finds it taken. Bolt has acknowledged the event by the time these functions run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from slack_bolt import App, BoltContext
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import deliveries, wording
from bot.answering import answer_turn
from bot.inbound import (
    Place,
    addresses_somebody_else,
    is_from_a_person,
    mentions,
    message_key,
    place_of_message,
    turn_of_message,
)
from bot.surface import Surface
from skills.conversation.language import language_of

logger = logging.getLogger(__name__)

Event = Mapping[str, Any]


def register(app: App, surface: Surface) -> None:
    """Listen for messages."""

    @app.event("app_mention")
    def on_mention(event: Event, context: BoltContext, client: WebClient) -> None:
        if is_from_a_person(event):
            _answer_once(surface, client, context, event)

    @app.event("message")
    def on_message(event: Event, context: BoltContext, client: WebClient) -> None:
        if is_from_a_person(event) and _is_for_us(surface, context, event):
            _answer_once(surface, client, context, event)


def _is_for_us(surface: Surface, context: BoltContext, event: Event) -> bool:
    """Direct messages, mentions, and what is said in a thread where we take part already."""
    place = _place(context, event)
    if place.is_direct or mentions(event, context.bot_user_id or ""):
        return True
    if "thread_ts" not in event or addresses_somebody_else(event):
        return False
    return _takes_part(surface, place)


def _takes_part(surface: Surface, place: Place) -> bool:
    """True when we answered in the thread, are about to answer its root, or posted its root ourselves."""
    root = place.thread_ts or ""
    return (
        surface.threads.exists(place.thread)
        or deliveries.is_claimed(surface.engine, message_key(place, root))
        or surface.cards.is_card(place.channel, root)
    )


def _answer_once(surface: Surface, client: WebClient, context: BoltContext, event: Event) -> None:
    place = _place(context, event)
    if not deliveries.claim(surface.engine, message_key(place, event["ts"])):
        logger.info("message delivered again", extra={"channel": place.channel})
        return
    turn = turn_of_message(place, event, context.bot_user_id or "")
    _show_status(client, place, turn.text)
    answer_turn(surface, client, turn, place)


def _show_status(client: WebClient, place: Place, text: str) -> None:
    """Show that we are at it. Slack removes the status when the answer is posted in the thread."""
    if place.thread_ts is None:
        return
    status = wording.THINKING.to(language_of(text))
    try:
        client.assistant_threads_setStatus(channel_id=place.channel, thread_ts=place.thread_ts, status=status)
    except SlackApiError as error:
        logger.debug("no status here", extra={"error": error.response["error"]})


def _place(context: BoltContext, event: Event) -> Place:
    return place_of_message(context.team_id or "", event["channel"], event)
