"""A small Slack: the Web API over loopback HTTP.

Ours, of the standard library only. It keeps what it was told and refuses what Slack refuses: bad tokens, too
many blocks, over-long texts, expired triggers, unknown messages. `slack_person` plays who writes to the bot.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.slack_limits import message_problems, view_problems

BOT_TOKEN = "xoxb-test"
APP_TOKEN = "xapp-test"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TEAM = "T0TEAM"
BOT_USER = "U0BOT"
PATIENCE_S = 10
"""A test that waits so long has failed; nothing depends on how long it is."""

Payload = dict[str, Any]


class Refused(Exception):
    """Slack's answer `ok: false`."""


@dataclass(frozen=True)
class Call:
    """One call of a Web API method, and what it was answered."""

    method: str
    arguments: Payload
    answer: Payload


@dataclass
class Workspace:
    """What Slack knows. Every method of the Web API is a method here, with dots as underscores."""

    calls: list[Call] = field(default_factory=list)
    messages: dict[tuple[str, str], Payload] = field(default_factory=dict)
    views: dict[str, Payload] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    without_bot: set[str] = field(default_factory=set)
    """Channels that the bot was not invited to."""
    refusals: dict[str, list[str]] = field(default_factory=dict)
    """Errors that the next calls of a method get."""
    rate_limits: dict[str, int] = field(default_factory=dict)
    """How many of the next calls of a method are answered 429."""
    triggers: dict[str, bool] = field(default_factory=dict)
    """Trigger id -> still valid."""
    url: str = ""
    socket_url: str = ""
    """Where Socket Mode connects to, see `slack_socket`."""
    changed: Condition = field(default_factory=Condition)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def next_ts(self) -> str:
        return f"1790000000.{next(self._numbers):06d}"

    def next_trigger(self) -> str:
        trigger = f"{next(self._numbers)}.trigger"
        self.triggers[trigger] = True
        return trigger

    def call(self, method: str, arguments: Payload) -> Payload:
        """Answer one call and remember it."""
        with self.changed:
            try:
                answer = {"ok": True, **self._answer(method, arguments)}
            except Refused as refusal:
                answer = {"ok": False, "error": str(refusal)}
            self.calls.append(Call(method, arguments, answer))
            self.changed.notify_all()
        return answer

    def _answer(self, method: str, arguments: Payload) -> Payload:
        if self.refusals.get(method):
            raise Refused(self.refusals[method].pop(0))
        handle: Callable[[Payload], Payload] | None = getattr(self, method.replace(".", "_"), None)
        if handle is None:
            raise Refused("unknown_method")
        return handle(arguments)

    def auth_test(self, _: Payload) -> Payload:
        return {"team": "Acme", "team_id": TEAM, "user": "shortlist", "user_id": BOT_USER, "bot_id": "B0BOT"}

    def apps_connections_open(self, _: Payload) -> Payload:
        return {"url": self.socket_url}

    def users_info(self, arguments: Payload) -> Payload:
        user = arguments["user"]
        return {"user": {"id": user, "profile": {"display_name": f"name of {user}"}}}

    def chat_postMessage(self, arguments: Payload) -> Payload:  # noqa: N802  Slack's name
        channel = self._channel(arguments)
        thread_ts = arguments.get("thread_ts")
        if thread_ts and (channel, thread_ts) not in self.messages:
            raise Refused("thread_not_found")
        self._check(message_problems(arguments))
        message = {**arguments, "ts": self.next_ts(), "channel": channel, "user": BOT_USER}
        self.messages[channel, message["ts"]] = message
        return {"channel": channel, "ts": message["ts"], "message": message}

    def chat_update(self, arguments: Payload) -> Payload:
        channel = self._channel(arguments)
        if (channel, arguments["ts"]) not in self.messages:
            raise Refused("message_not_found")
        self._check(message_problems(arguments))
        self.messages[channel, arguments["ts"]] |= arguments
        return {"channel": channel, "ts": arguments["ts"]}

    def chat_postEphemeral(self, arguments: Payload) -> Payload:  # noqa: N802  Slack's name
        self._channel(arguments)
        self._check(message_problems(arguments))
        return {"message_ts": self.next_ts()}

    def reactions_add(self, arguments: Payload) -> Payload:
        if (arguments["channel"], arguments["timestamp"]) not in self.messages:
            raise Refused("message_not_found")
        return {}

    def conversations_replies(self, arguments: Payload) -> Payload:
        channel, root = arguments["channel"], arguments["ts"]
        found = [
            m for (c, ts), m in self.messages.items() if c == channel and root in (ts, m.get("thread_ts"))
        ]
        if not found:
            raise Refused("thread_not_found")
        return {"messages": found}

    def views_open(self, arguments: Payload) -> Payload:
        if not self.triggers.get(arguments["trigger_id"]):
            raise Refused("expired_trigger_id")
        self.triggers[arguments["trigger_id"]] = False
        self._check(view_problems(arguments["view"]))
        view = {**arguments["view"], "id": f"V{next(self._numbers)}"}
        self.views[view["id"]] = view
        return {"view": view}

    def views_publish(self, arguments: Payload) -> Payload:
        self._check(view_problems(arguments["view"]))
        return {"view": arguments["view"]}

    def response_url(self, _: Payload) -> Payload:
        """Not a method of the Web API, but where answers to commands and buttons may be sent."""
        return {}

    def assistant_threads_setStatus(self, _: Payload) -> Payload:  # noqa: N802  Slack's name
        return {}

    def files_getUploadURLExternal(self, arguments: Payload) -> Payload:  # noqa: N802  Slack's name
        name = f"F{next(self._numbers)}"
        return {"file_id": name, "upload_url": f"{self.url}upload/{name}/{arguments['filename']}"}

    def files_completeUploadExternal(self, arguments: Payload) -> Payload:  # noqa: N802  Slack's name
        files = arguments["files"]
        return {"files": json.loads(files) if isinstance(files, str) else files}

    def _channel(self, arguments: Payload) -> str:
        """A person's id opens the direct conversation with them."""
        channel = arguments["channel"]
        if channel in self.without_bot:
            raise Refused("channel_not_found")
        return f"D{channel[1:]}" if channel.startswith("U") else channel

    @staticmethod
    def _check(problems: list[str]) -> None:
        if problems:
            named = [problem for problem in problems if problem.startswith(("msg_", "no_"))]
            raise Refused(named[0] if named else f"invalid_blocks: {'; '.join(problems)}")


class SlackServer:
    """The workspace, reachable over HTTP."""

    def __init__(self) -> None:
        self.workspace = Workspace()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.workspace))
        self._server.daemon_threads = True
        self.workspace.url = f"http://127.0.0.1:{self._server.server_address[1]}/api/"
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return self.workspace.url

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def calls(self, method: str) -> list[Payload]:
        """The arguments of every call of a method that was not refused."""
        return [
            call.arguments for call in self.workspace.calls if call.method == method and call.answer["ok"]
        ]

    def wait_for(self, method: str, count: int = 1) -> list[Payload]:
        """The arguments of the calls of a method, as soon as there are so many."""
        with self.workspace.changed:
            came = self.workspace.changed.wait_for(lambda: len(self.calls(method)) >= count, PATIENCE_S)
        seen = [(call.method, call.answer.get("error")) for call in self.workspace.calls]
        assert came, f"{method} was not called {count} times; there were {seen}"
        return self.calls(method)


def _handler(workspace: Workspace) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path.removeprefix("/api/")
            if path.startswith("upload/"):
                workspace.files[path.split("/")[1]] = body
                self._send(b"OK")
                return
            arguments = _arguments(body, self.headers.get("Content-Type", ""))
            if path.startswith("response/"):
                self._send(json.dumps(workspace.call("response_url", arguments)).encode())
                return
            if workspace.rate_limits.get(path):
                workspace.rate_limits[path] -= 1
                self._send(b'{"ok": false, "error": "ratelimited"}', status=429)
                return
            self._send(json.dumps(self._api(path, arguments)).encode())

        def _api(self, method: str, arguments: Payload) -> Payload:
            token = self.headers.get("Authorization", "").removeprefix("Bearer ") or arguments.pop(
                "token", ""
            )
            if token not in {BOT_TOKEN, APP_TOKEN}:
                return {"ok": False, "error": "invalid_auth" if token else "not_authed"}
            return workspace.call(method, arguments)

        def _send(self, content: bytes, status: int = 200) -> None:
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "0")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _arguments(body: bytes, content_type: str) -> Payload:
    if content_type.startswith("application/json"):
        return json.loads(body or b"{}")
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    for name in ("blocks", "view"):
        if name in form:
            form[name] = json.loads(form[name])
    return form
