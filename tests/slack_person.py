"""Somebody in Slack, writing to the bot: signed events, commands, presses and forms over HTTP.

Ours, of the standard library only. What a person writes is known to the workspace before it is delivered.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

from tests.slack_server import BOT_USER, PATIENCE_S, SIGNING_SECRET, TEAM, Payload, SlackServer


@dataclass
class Person:
    """Somebody in Slack, writing to a bot that listens on `port`."""

    server: SlackServer
    port: int
    id: str = "U0ANA"
    secret: str = SIGNING_SECRET

    @property
    def _response_url(self) -> str:
        return f"{self.server.url}response/1"

    def say(self, text: str, channel: str = "C0TEAM", thread_ts: str | None = None, **more: Any) -> Payload:
        """Write a message, and have Slack deliver it."""
        event = self.write(text, channel, thread_ts, **more)
        self.deliver(event)
        return event

    def mention(self, text: str, channel: str = "C0TEAM", thread_ts: str | None = None) -> Payload:
        """Mention the bot. Slack delivers it as a mention only; `twin` makes the message event."""
        event = {**self.write(f"<@{BOT_USER}> {text}", channel, thread_ts), "type": "app_mention"}
        self.deliver(event)
        return event

    def write(self, text: str, channel: str, thread_ts: str | None = None, **more: Any) -> Payload:
        """Write a message that Slack does not deliver yet."""
        kind = {"D": "im", "G": "group"}.get(channel[0], "channel")
        event = {
            "type": "message", "user": self.id, "text": text, "channel": channel, "channel_type": kind,
            "ts": self.server.workspace.next_ts(), **({"thread_ts": thread_ts} if thread_ts else {}), **more,
        }  # fmt: skip
        self.server.workspace.messages[channel, event["ts"]] = event
        return event

    def deliver(self, event: Payload, *, event_id: str | None = None, retry: int = 0) -> int:
        """Post an event to the bot as Slack does; returns the HTTP status."""
        body = {
            "type": "event_callback", "team_id": TEAM, "api_app_id": "A0APP",
            "event_id": event_id or f"Ev{event.get('ts', '')}{event['type']}", "event_time": int(time.time()),
            "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}], "event": event,
        }  # fmt: skip
        headers = {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"} if retry else {}
        return self.post(json.dumps(body), "application/json", headers)[0]

    def command(self, command: str, text: str = "", channel: str = "C0TEAM", **more: Any) -> tuple[int, str]:
        """Type a slash command."""
        body = {
            "command": command, "text": text, "channel_id": channel, "user_id": self.id, "team_id": TEAM,
            "trigger_id": self.server.workspace.next_trigger(), "response_url": self._response_url, **more,
        }  # fmt: skip
        return self.post(urlencode(body), "application/x-www-form-urlencoded")

    def press(self, message: Payload, action_id: str, **more: Any) -> tuple[int, str]:
        """Press a button under a message of the bot."""
        elements = [
            item
            for block in message["blocks"]
            for item in [*block.get("elements", []), block.get("accessory")]
            if item
        ]
        action = next(item for item in elements if item.get("action_id") == action_id)
        container = {
            "type": "message", "message_ts": message["ts"], "channel_id": message["channel"],
            **({"thread_ts": message["thread_ts"]} if message.get("thread_ts") else {}),
        }  # fmt: skip
        pressed = {**action, "block_id": "b", "action_ts": self.server.workspace.next_ts()}
        return self.interact(
            type="block_actions", actions=[pressed], container=container, message=message,
            channel={"id": message["channel"]}, **more,
        )  # fmt: skip

    def submit(self, view: Payload, **values: Any) -> Payload:
        """Submit a form with these values over the ones it opened with; returns the bot's verdict."""
        state = {block["block_id"]: {"value": _state(block["element"])} for block in view["blocks"]}
        for name, value in values.items():
            state[name]["value"] |= value if isinstance(value, dict) else {"value": value}
        body = {**view, "state": {"values": state}}
        status, answer = self.interact(type="view_submission", view=body)
        assert status == 200
        return json.loads(answer) if answer else {}

    def interact(self, **payload: Any) -> tuple[int, str]:
        body = {
            "user": {"id": self.id, "team_id": TEAM}, "team": {"id": TEAM}, "api_app_id": "A0APP",
            "trigger_id": self.server.workspace.next_trigger(), "response_url": self._response_url, **payload,
        }  # fmt: skip
        return self.post(urlencode({"payload": json.dumps(body)}), "application/x-www-form-urlencoded")

    def post(self, body: str, content_type: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        """Post a signed body to the bot."""
        signed = {"Content-Type": content_type, **signature(self.secret, body), **(headers or {})}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("POST", "/slack/events", body.encode(), signed)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()


def signature(secret: str, body: str, timestamp: int | None = None) -> dict[str, str]:
    """The headers by which the bot knows that a request is Slack's."""
    at = str(int(time.time()) if timestamp is None else timestamp)
    digest = hmac.new(secret.encode(), f"v0:{at}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={digest}"}


def _state(element: Payload) -> Payload:
    """What Slack reports of a field that nobody touched."""
    state = {"type": element["type"]}
    if element["type"] == "checkboxes":
        return {**state, "selected_options": element.get("initial_options", [])}
    if element["type"] == "static_select":
        return {**state, "selected_option": element.get("initial_option")}
    return {**state, "value": element.get("initial_value")}
