"""Turn a Slack payload into a Turn, and say where its answer belongs.

Pure: nothing here talks to Slack or to the store.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any

from skills.conversation.request import Turn

_MARKUP = re.compile(r"<([^<>]+)>")
_REAL_SUBTYPES = frozenset({None, "file_share", "thread_broadcast"})
"""What a person wrote. Every other subtype tells of an edit, a deletion, somebody joining, and the like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a conversation happens, and therefore where its answers go."""

    team: str
    channel: str
    thread_ts: str | None
    """The thread's root; None for a direct message outside threads, which is one running conversation."""

    @property
    def thread(self) -> str:
        """The name under which the conversation is remembered."""
        root = f":{self.thread_ts}" if self.thread_ts else ""
        return f"{self.team}:{self.channel}{root}"

    @property
    def scopes(self) -> tuple[str, ...]:
        """Whose defaults hold here: the channel's over the team's."""
        team = (self.team,) if self.team else ()
        return team if self.is_direct else (f"{self.team}:{self.channel}", *team)

    @property
    def is_direct(self) -> bool:
        """True in a one-to-one conversation with the bot."""
        return self.channel.startswith("D")


def place_of_message(team: str, channel: str, message: Mapping[str, Any]) -> Place:
    """Where to answer a message: in its thread, in the thread that it starts, or simply below it in a DM.

    The root is `thread_ts or ts`: the ts of a reply inside a thread is never a root.
    """
    place = Place(team=team, channel=channel, thread_ts=message.get("thread_ts"))
    if place.thread_ts or place.is_direct:
        return place
    return Place(team=team, channel=channel, thread_ts=message["ts"])


def message_key(place: Place, ts: str) -> str:
    """Equal for every delivery of one message, a mention and its `message` twin included."""
    return f"{place.team}:{place.channel}:{ts}"


def turn_of_message(place: Place, event: Mapping[str, Any], bot_user: str) -> Turn:
    """The message as a Turn. A bare mention asks for help."""
    text = plain_text(event.get("text", ""), bot_user) or "help"
    return turn_at(place, text, event["user"], key=message_key(place, event["ts"]))


def turn_at(
    place: Place, text: str, person: str, *, key: str | None = None, after: int | None = None
) -> Turn:
    """What somebody says at a place."""
    return Turn(text=text, thread=place.thread, person=person, key=key, after=after, scopes=place.scopes)


def is_from_a_person(event: Mapping[str, Any]) -> bool:
    """False for bots (loops are impossible), edits, deletions, joins and the like."""
    return bool(event.get("user")) and not event.get("bot_id") and event.get("subtype") in _REAL_SUBTYPES


def mentions(event: Mapping[str, Any], user: str) -> bool:
    """True when the message names this user."""
    return f"<@{user}>" in event.get("text", "") or f"<@{user}|" in event.get("text", "")


def addresses_somebody_else(event: Mapping[str, Any]) -> bool:
    """True when the message begins with a person's name: in a shared thread, not every word is for us."""
    text: str = event.get("text", "")
    return text.lstrip().startswith("<@")


def plain_text(markup: str, bot_user: str) -> str:
    """Undo Slack's markup: the words as the person typed them, without the bot's own name."""
    words = _MARKUP.sub(lambda match: _plain_mark(match.group(1), bot_user), markup)
    return re.sub(r"[ \t]{2,}", " ", unescape(words)).strip()


def _plain_mark(mark: str, bot_user: str) -> str:
    target, _, label = mark.partition("|")
    if target.startswith("@"):
        return "" if target[1:] == bot_user else f"@{label or target[1:]}"
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        return label or f"@{target[1:]}"
    return _plain_link(target, label)


def _plain_link(url: str, label: str) -> str:
    """Slack links `tickets.csv` by itself to http://tickets.csv: then the label alone is what was typed."""
    if not label:
        return url.removeprefix("mailto:")
    return label if label in url else f"{label} {url}"
