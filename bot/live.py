"""Words of an answer that is under way -> a Slack stream, which the finished answer takes the place of.

A stream is a courtesy: whatever Slack says about it (it closes one after some minutes), the answer arrives all the same,
by an edit of the message that was streamed, or as a message of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.inbound import Place
from bot.render.slack import Message, defused

logger = logging.getLogger(__name__)

_INTERVAL_S = 1.0
"""Slack takes about a hundred appends a minute."""
_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})


class LiveMessage:
    """The message that an answer grows in."""

    def __init__(
        self, client: WebClient, place: Place, person: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is shown before the first words. A stream needs a thread to be in."""
        self._client = client
        self._place = place
        self._person = person
        self._clock = clock
        self._waiting = ""
        self._shown_at = float("-inf")
        self._is_open = place.thread_ts is not None
        self.ts: str | None = None

    def say(self, piece: str) -> None:
        """Show more words, not more often than Slack likes."""
        self._waiting += piece
        if self._is_open and self._waiting.strip() and self._clock() - self._shown_at >= _INTERVAL_S:
            self._show()

    def finish(self, message: Message) -> str:
        """Put the finished answer in the place of what was streamed, or post it; returns the message's time."""
        if self.ts is not None:
            self._stop()
            try:
                self._client.chat_update(
                    channel=self._place.channel, ts=self.ts, text=message.text, blocks=list(message.blocks)
                )
            except SlackApiError as error:
                if error.response["error"] not in _GONE:
                    raise
            else:
                return self.ts
        posted = self._client.chat_postMessage(
            channel=self._place.channel, thread_ts=self._place.thread_ts, **message.arguments()
        )
        return str(posted["ts"])

    def discard(self) -> None:
        """Take back what was streamed: nobody wants the answer any more."""
        if self.ts is None:
            return
        self._stop()
        try:
            self._client.chat_delete(channel=self._place.channel, ts=self.ts)
        except SlackApiError as error:
            logger.info("stream not removed", extra={"error": error.response["error"]})

    def _show(self) -> None:
        text, self._waiting = defused(self._waiting), ""
        self._shown_at = self._clock()
        try:
            if self.ts is None:
                started = self._client.chat_startStream(
                    channel=self._place.channel,
                    thread_ts=str(self._place.thread_ts),
                    recipient_team_id=self._place.team,
                    recipient_user_id=self._person,
                    markdown_text=text,
                )
                self.ts = str(started["ts"])
            else:
                self._client.chat_appendStream(channel=self._place.channel, ts=self.ts, markdown_text=text)
        except SlackClientError as error:
            self._is_open = False
            logger.info("stream closed", extra={"error": _code(error)})

    def _stop(self) -> None:
        try:
            self._client.chat_stopStream(channel=self._place.channel, ts=str(self.ts))
        except SlackClientError as error:
            logger.info("stream was closed already", extra={"error": _code(error)})


def _code(error: SlackClientError) -> str:
    return str(error.response["error"]) if isinstance(error, SlackApiError) else type(error).__name__
