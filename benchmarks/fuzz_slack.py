"""Damaged bodies through the signed HTTP door, as one who has the secret could send them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from index.bilingual import Bilingual
from index.errors import Unavailable
from tests.slack_bot import open_surface, running_bot
from tests.slack_server import BOT_USER, TEAM, SlackServer

_ANSWERS = (HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)
FAILED = Unavailable(
    Bilingual("listener failed: signed, and not what Slack sends", "已签名，但不是 Slack 会发送的内容")
)
_PERSON, _CHANNEL = "U0ANA", "C0TEAM"
_BLOCK = {"block_id": "model", "action_id": "shortlist_more_options", "type": "button", "value": "1"}
_VIEW = {
    "id": "V1", "callback_id": "shortlist_evaluation", "private_metadata": "{}", "hash": "1", "type": "modal",
    "state": {"values": {"candidates": {"value": {"type": "plain_text_input", "value": "a, b"}}}}, "blocks": [],
}  # fmt: skip
_IDS = {"team": {"id": TEAM}, "user": {"id": _PERSON, "team_id": TEAM}, "api_app_id": "A0", "token": "x"}


def _event(**event: Any) -> bytes:
    body = {"type": "event_callback", "team_id": TEAM, "api_app_id": "A0", "event_id": "Ev1", "event": event}
    return json.dumps(body).encode()


def _interaction(**payload: Any) -> bytes:
    return json.dumps({**_IDS, "trigger_id": "1.1", **payload}).encode()


_MESSAGE = {"user": _PERSON, "channel": _CHANNEL, "ts": "1700000000.000100", "text": f"<@{BOT_USER}> help"}
PAYLOADS: Sequence[bytes] = (
    _event(type="app_mention", **_MESSAGE),
    _event(type="message", channel_type="im", **{**_MESSAGE, "channel": "D0ANA"}),
    _event(type="message", subtype="message_changed", channel=_CHANNEL, message=_MESSAGE, previous_message=_MESSAGE, ts="2.0"),
    _event(type="message", subtype="message_deleted", channel=_CHANNEL, deleted_ts="1.0", previous_message=_MESSAGE),
    _event(type="app_home_opened", user=_PERSON, channel="D0ANA", tab="home"),
    _interaction(type="block_actions", actions=[_BLOCK], container={"type": "message", "message_ts": "1.0", "channel_id": _CHANNEL}, channel={"id": _CHANNEL}, message=_MESSAGE, response_url=""),
    _interaction(type="view_submission", view=_VIEW),
    _interaction(type="view_closed", view=_VIEW),
    _interaction(type="message_action", callback_id="shortlist_ask", message=_MESSAGE, channel={"id": _CHANNEL}, response_url=""),
    b"command=%2Fshortlist&text=help&user_id=U0ANA&team_id=T0ACME&channel_id=C0TEAM&trigger_id=1.1&response_url=",
)  # fmt: skip


@contextmanager
def signed_door(home: Path) -> Iterator[tuple[Callable[[bytes], object], Sequence[bytes]]]:
    """What delivers a body to a running bot, and bodies that Slack sends."""
    home.mkdir()
    slack = SlackServer()
    logging.getLogger("bot").setLevel(logging.CRITICAL)
    try:
        with running_bot(open_surface(home), slack) as bot:

            def deliver(body: bytes) -> int:
                text = body.decode("utf-8", "replace")
                if body.startswith(b"{") and b"event" not in body[:30]:
                    status, _ = bot.ana.post("payload=" + quote(text), "application/x-www-form-urlencoded")
                elif body.startswith(b"command"):
                    status, _ = bot.ana.post(text.replace("\n", ""), "application/x-www-form-urlencoded")
                else:
                    status, _ = bot.ana.post(text, "application/json")
                bot.settle()
                bot.work.clear()
                if (
                    status == HTTPStatus.INTERNAL_SERVER_ERROR
                ):  # logged by type and place; Slack tells it again
                    raise FAILED
                assert status in _ANSWERS, f"answered {status}"
                return status

            yield deliver, PAYLOADS
    finally:
        slack.close()
