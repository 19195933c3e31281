"""The agent surface of Slack: that we are at work, and what one may ask first.

The older names (assistant threads) are tried where an app or a workspace does not know the newer ones yet.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bot import ask_wording, wording
from bot.inbound import Place
from index.bilingual import Language
from skills.conversation.language import language_of

logger = logging.getLogger(__name__)

_TITLE_CHARS = 200


@contextmanager
def at_work(client: WebClient, place: Place, text: str) -> Iterator[None]:
    """Show that we are at it while the block runs. Where Slack shows no status, nothing happens."""
    if place.thread_ts is None:
        yield
        return
    is_session = _set_status(client, place, "processing", title=text[:_TITLE_CHARS])
    if not is_session:
        _set_old_status(client, place, wording.THINKING.to(language_of(text)))
    try:
        yield
    finally:
        if is_session:
            _set_status(client, place, "active")


def show_work(client: WebClient, place: Place, title: str) -> None:
    """Say that something is under way, so that Slack shows its own Stop button. Slack forgets it after an hour."""
    _set_status(client, place, "processing", title=title[:_TITLE_CHARS])


def end_session(client: WebClient, place: Place) -> None:
    """Say that nothing is under way any more."""
    _set_status(client, place, "active")


def suggest(client: WebClient, channel: str, thread_ts: str | None, language: Language) -> None:
    """Offer what one may ask first, above the field to write in."""
    prompts = [
        {"title": title.to(language), "message": message.to(language)}
        for title, message in ask_wording.PROMPTS
    ]
    title = ask_wording.PROMPTS_TITLE.to(language)
    try:
        client.assistant_threads_setSuggestedPrompts(
            channel_id=channel, thread_ts=thread_ts, title=title, prompts=prompts
        )
    except SlackApiError as error:
        logger.info("no suggested prompts here", extra={"error": error.response["error"]})


def _set_status(client: WebClient, place: Place, status: str, title: str | None = None) -> bool:
    try:
        client.agents_sessions_setStatus(
            channel_id=place.channel, thread_ts=place.thread_ts, status=status, title=title
        )
    except SlackClientError as error:
        logger.debug("no session here", extra={"error": str(error)[:200]})
        return False
    return True


def _set_old_status(client: WebClient, place: Place, status: str) -> None:
    try:
        client.assistant_threads_setStatus(
            channel_id=place.channel, thread_ts=str(place.thread_ts), status=status
        )
    except SlackClientError as error:
        logger.debug("no status here", extra={"error": str(error)[:200]})
