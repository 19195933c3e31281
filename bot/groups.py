"""Slack user groups -> their members, asked of Slack and kept for a minute. What Slack does not tell is nobody."""

from __future__ import annotations

import logging
import time
from threading import Lock

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

logger = logging.getLogger(__name__)

_KEPT_S = 60.0


class SlackGroups:
    """Who is in a user group. Needs the scope `usergroups:read`."""

    def __init__(self, client: WebClient) -> None:
        self._client = client
        self._known: dict[str, tuple[float, frozenset[str]]] = {}
        self._lock = Lock()

    def __call__(self, group: str) -> frozenset[str]:
        """The members of a group. When Slack does not answer nobody is: a role is never given by guessing."""
        with self._lock:
            asked_at_s, members = self._known.get(group, (float("-inf"), frozenset()))
        if time.monotonic() - asked_at_s < _KEPT_S:
            return members
        members = self._ask(group)
        with self._lock:
            self._known[group] = time.monotonic(), members
        return members

    def _ask(self, group: str) -> frozenset[str]:
        try:
            users = self._client.usergroups_users_list(usergroup=group).get("users") or ()
        except (SlackApiError, SlackClientError, OSError) as error:
            why = error.response["error"] if isinstance(error, SlackApiError) else type(error).__name__
            logger.warning("user group not read", extra={"group": group, "reason": why})
            return frozenset()
        return frozenset(str(user) for user in users)
