"""A small Slack: the Web API over loopback HTTP.

Ours, of the standard library only. `slack_workspace` knows what Slack would answer; `slack_person` plays who writes
to the bot; `slack_socket` is the far end of Socket Mode.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.slack_workspace import APP_TOKEN, BOT_TOKEN, BOT_USER, TEAM, Call, Payload, Refused, Workspace

__all__ = [
    "APP_TOKEN", "BOT_TOKEN", "BOT_USER", "PATIENCE_S", "SIGNING_SECRET", "TEAM",
    "Call", "Payload", "Refused", "SlackServer", "Workspace",
]  # fmt: skip

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
PATIENCE_S = 10
"""A test that waits so long has failed; nothing depends on how long it is."""
_NEEDS_NO_TOKEN = frozenset({"oauth.v2.access"})


class SlackServer:
    """The workspace, reachable over HTTP."""

    def __init__(self) -> None:
        self.workspace = Workspace()
        self._server = _Server(self.workspace)
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

    def tokens_of(self, method: str) -> set[str]:
        """The tokens that a method was called with."""
        return {token for called, token in self.workspace.callers if called == method}

    def refused(self, method: str) -> list[str]:
        """The errors of every call of a method that was refused."""
        return [
            call.answer["error"]
            for call in self.workspace.calls
            if call.method == method and not call.answer["ok"]
        ]

    def wait_for(self, method: str, count: int = 1) -> list[Payload]:
        """The arguments of the calls of a method, as soon as there are so many."""
        with self.workspace.changed:
            came = self.workspace.changed.wait_for(lambda: len(self.calls(method)) >= count, PATIENCE_S)
        seen = [(call.method, call.answer.get("error")) for call in self.workspace.calls]
        assert came, f"{method} was not called {count} times; there were {seen}"
        return self.calls(method)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.workspace = workspace


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path.removeprefix("/api/")
        if path.startswith("upload/"):
            self.server.workspace.files[path.split("/")[1]] = body
            self._send(b"OK")
            return
        arguments = _arguments(body, self.headers.get("Content-Type", ""))
        if path.startswith("response/"):
            self._respond(path, arguments)
            return
        if self.server.workspace.rate_limits.get(path):
            self.server.workspace.rate_limits[path] -= 1
            self._send(b'{"ok": false, "error": "ratelimited"}', status=429)
            return
        self._send(json.dumps(self._api(path, arguments)).encode())

    def do_GET(self) -> None:
        """Files are read from their private address, with the bot's token."""
        name = urlsplit(self.path).path.rpartition("/")[2]
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        found = name in self.server.workspace.files and token == BOT_TOKEN
        self._send(self.server.workspace.files.get(name, b"") if found else b"", status=200 if found else 404)

    def _respond(self, path: str, arguments: Payload) -> None:
        ends, uses = self.server.workspace.response_urls.get(path, (0.0, 0))
        if ends < self.server.workspace.now_s or uses == 0:
            self._send(b'{"ok": false, "error": "expired_url"}', status=404)
            return
        self.server.workspace.response_urls[path] = (ends, uses - 1)
        self._send(json.dumps(self.server.workspace.call("response_url", arguments)).encode())

    def _api(self, method: str, arguments: Payload) -> Payload:
        sent = arguments.pop("token", "")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ") or sent
        if method in _NEEDS_NO_TOKEN:
            return self.server.workspace.call(method, arguments)
        try:
            identity = self.server.workspace.identity(token)
        except Refused as refusal:
            return {"ok": False, "error": str(refusal)}
        self.server.workspace.callers.append((method, token))
        if method == "auth.test":
            return {"ok": True, **identity}
        return self.server.workspace.call(method, arguments)

    def _send(self, content: bytes, status: int = 200) -> None:
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", str(self.server.workspace.retry_after_s))
        self.send_header("x-oauth-scopes", self.server.workspace.scopes)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def _arguments(body: bytes, content_type: str) -> Payload:
    if content_type.startswith("application/json"):
        return json.loads(body or b"{}")
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    for name in ("blocks", "view"):
        if name in form:
            form[name] = json.loads(form[name])
    return form
