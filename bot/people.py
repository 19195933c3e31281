"""Turn a Slack user id into the name that people read, and into a mention where one is meant."""

from __future__ import annotations

import re
from threading import Lock

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.inbound import Place
from bot.render.slack import escaped

_USER_ID = re.compile(r"[UW][A-Z0-9]{2,}")


def mention(person: str) -> str:
    """A mention for somebody in Slack, which notifies them; the name, escaped, of somebody at a terminal."""
    return f"<@{person}>" if is_slack_user(person) else escaped(person)


def is_slack_user(person: str) -> bool:
    """True when the name is a Slack user id, not that of somebody at a terminal."""
    return _USER_ID.fullmatch(person) is not None


def direct_place(client: WebClient, team: str, person: str) -> Place:
    """The direct conversation with somebody."""
    opened = client.conversations_open(users=person)
    return Place(team=team, channel=opened["channel"]["id"], thread_ts=None)


class Names:
    """Display names, asked of Slack once per person and process.

    A name, unlike a mention, does not notify anybody: cards and quoted questions use names.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._lock = Lock()

    def of(self, client: WebClient, person: str) -> str:
        """Return the display name, or the id itself when Slack does not tell."""
        if not is_slack_user(person):
            return person
        with self._lock:
            if person in self._known:
                return self._known[person]
        name = _ask(client, person)
        with self._lock:
            self._known[person] = name
        return name


def _ask(client: WebClient, person: str) -> str:
    try:
        user = client.users_info(user=person)["user"]
    except SlackApiError:
        return person
    profile = user.get("profile") or {}
    return str(profile.get("display_name") or user.get("real_name") or user.get("name") or person)
