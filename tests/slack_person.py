"""Somebody in Slack, writing to the bot: signed events, commands, presses and forms over HTTP.

Ours, of the standard library only. What a person writes is known to the workspace before it is delivered.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPConnection
from random import Random
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
    team: str = TEAM
    bot: str = BOT_USER
    """The bot as this person's workspace knows it."""

    @property
    def _response_url(self) -> str:
        return self.server.workspace.next_response_url()

    def say(self, text: str, channel: str = "C0TEAM", thread_ts: str | None = None, **more: Any) -> Payload:
        """Write a message, and have Slack deliver it."""
        event = self.write(text, channel, thread_ts, **more)
        self.deliver(event)
        return event

    def mention(self, text: str, channel: str = "C0TEAM", thread_ts: str | None = None) -> Payload:
        """Mention the bot. Slack delivers it as a mention only; `twin` makes the message event."""
        event = {**self.write(f"<@{self.bot}> {text}", channel, thread_ts), "type": "app_mention"}
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

    def post_file(
        self, name: str, content: bytes, channel: str = "C0TEAM", thread_ts: str | None = None, **facts: Any
    ) -> Payload:
        """Drop a file into a channel; returns what Slack tells of it."""
        space = self.server.workspace
        file = {
            "id": f"F0{len(space.file_facts)}", "name": name, "size": len(content), "mode": "hosted",
            "url_private_download": f"{self.server.url}files/F0{len(space.file_facts)}", **facts,
        }  # fmt: skip
        space.files[file["id"]], space.file_facts[file["id"]] = content, file
        self.write("", channel, thread_ts, subtype="file_share", files=[file])
        return file

    def deliver(self, event: Payload, *, event_id: str | None = None, retry: int = 0) -> int:
        """Post an event to the bot as Slack does; returns the HTTP status."""
        body = {
            "type": "event_callback", "team_id": self.team, "api_app_id": "A0APP",
            "event_id": event_id or f"Ev{event.get('ts', '')}{event['type']}", "event_time": int(time.time()),
            "authorizations": [{"team_id": self.team, "user_id": self.bot, "is_bot": True}], "event": event,
        }  # fmt: skip
        headers = {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"} if retry else {}
        return self.post(json.dumps(body), "application/json", headers)[0]

    def deliver_badly(self, events: Iterable[Payload], seed: int = 0) -> None:
        """Deliver as Slack does on a bad day: in any order, each some times over, a mention with its twin."""
        chance = Random(seed)
        sent = [event for event in events for _ in range(chance.randint(1, 3))]
        sent += [{**event, "type": "message"} for event in sent if event["type"] == "app_mention"]
        chance.shuffle(sent)
        for retry, event in enumerate(sent):
            self.deliver(event, retry=retry % 4)

    def edit(self, event: Payload, text: str) -> None:
        """Edit a message that was written, and have Slack tell of it."""
        before = {**event, "type": "message"}
        after = {**before, "text": text, "edited": {"user": self.id, "ts": self.server.workspace.next_ts()}}
        self.server.workspace.messages[event["channel"], event["ts"]] |= {"text": text}
        self.tell(event, subtype="message_changed", message=after, previous_message=before)

    def delete(self, event: Payload) -> None:
        """Delete a message that was written, and have Slack tell of it."""
        self.server.workspace.delete(event)
        self.tell(event, subtype="message_deleted", deleted_ts=event["ts"], previous_message=event)

    def tell(self, event: Payload, **more: Any) -> None:
        """Deliver a notice about a message, which has a time of its own."""
        notice = {
            "type": "message", "channel": event["channel"], "channel_type": event["channel_type"],
            "ts": self.server.workspace.next_ts(), **more,
        }  # fmt: skip
        self.deliver(notice)

    def shortcut(self, message: Payload, callback_id: str) -> tuple[int, str]:
        """Choose a shortcut in the menu of somebody's message."""
        return self.interact(
            type="message_action", callback_id=callback_id, message=message, message_ts=message["ts"],
            channel={"id": message["channel"]},
        )  # fmt: skip

    def command(self, command: str, text: str = "", channel: str = "C0TEAM", **more: Any) -> tuple[int, str]:
        """Type a slash command."""
        body = {
            "command": command, "text": text, "channel_id": channel, "user_id": self.id, "team_id": self.team,
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
        status, answer = self.interact(type="view_submission", view=filled_in(view, **values))
        assert status == 200
        verdict = json.loads(answer) if answer else {}
        if verdict.get("response_action") == "push":
            self.server.workspace.push(verdict["view"])
        return verdict

    def choose(self, view: Payload, block_id: str, action_id: str = "value", **values: Any) -> None:
        """Change a field of an open form that the bot wants to hear of, or press a button in it."""
        action = {"block_id": block_id, "action_id": action_id, "action_ts": self.server.workspace.next_ts()}
        status, _ = self.interact(type="block_actions", actions=[action], view=filled_in(view, **values))
        assert status == 200

    def interact(self, **payload: Any) -> tuple[int, str]:
        body = {
            "user": {"id": self.id, "team_id": self.team}, "team": {"id": self.team}, "api_app_id": "A0APP",
            "trigger_id": self.server.workspace.next_trigger(), "response_url": self._response_url, **payload,
        }  # fmt: skip
        return self.post(urlencode({"payload": json.dumps(body)}), "application/x-www-form-urlencoded")

    def post(self, body: str, content_type: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        """Post a signed body to the bot."""
        return post_signed(self.port, self.secret, body, {"Content-Type": content_type, **(headers or {})})


def post_signed(port: int, secret: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
    """Post a body as Slack does; returns status and answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("POST", "/slack/events", body.encode(), {**signature(secret, body), **headers})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def signature(secret: str, body: str, timestamp: int | None = None) -> dict[str, str]:
    """The headers by which the bot knows that a request is Slack's."""
    at = str(int(time.time()) if timestamp is None else timestamp)
    digest = hmac.new(secret.encode(), f"v0:{at}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={digest}"}


def filled_in(view: Payload, **values: Any) -> Payload:
    """The form with these values over those that it has: a text, or what Slack reports of other elements."""
    inputs = [block for block in view["blocks"] if block["type"] == "input"]
    state = {block["block_id"]: {"value": _state(block["element"])} for block in inputs}
    for name, value in values.items():
        state[name]["value"] |= value if isinstance(value, dict) else {"value": value}
    return {**view, "state": {"values": state}}


def chosen(value: str) -> Payload:
    """The choice of a menu, as Slack reports it."""
    return {"selected_option": {"value": value}}


def _state(element: Payload) -> Payload:
    """What Slack reports of a field that nobody touched."""
    state = {"type": element["type"]}
    if element["type"] in {"checkboxes", "multi_static_select"}:
        return {**state, "selected_options": element.get("initial_options", [])}
    if element["type"] == "static_select":
        return {**state, "selected_option": element.get("initial_option")}
    if element["type"] == "file_input":
        return {**state, "files": []}
    return {**state, "value": element.get("initial_value")}
