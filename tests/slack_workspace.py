"""What a small Slack knows, and what it answers to each method of its Web API.

Ours. It refuses what Slack's documentation says Slack refuses. Its time stands still until a test lets it pass.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition
from typing import Any

from tests.slack_limits import message_problems, view_problems

BOT_TOKEN = "xoxb-test"
APP_TOKEN = "xapp-test"
TEAM = "T0TEAM"
BOT_USER = "U0BOT"
SCOPES = (
    "app_mentions:read,assistant:write,channels:history,channels:read,chat:write,chat:write.public,commands,"
    "files:read,files:write,groups:history,groups:read,im:history,im:read,im:write,mpim:history,reactions:write,"
    "users:read"
)

TRIGGER_LIVES_S = 3.0
RESPONSE_URL_LIVES_S = 30 * 60.0
RESPONSE_URL_USES = 5
STREAM_LIVES_S = 5 * 60.0
_STATUSES = frozenset({"active", "processing", "suspended", "closed"})

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
    callers: list[tuple[str, str]] = field(default_factory=list)
    """Method and token of every call that was let in."""
    messages: dict[tuple[str, str], Payload] = field(default_factory=dict)
    views: dict[str, Payload] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    file_facts: dict[str, Payload] = field(default_factory=dict)
    """What files.info tells of files that people have posted."""
    without_bot: set[str] = field(default_factory=set)
    """Channels that the bot was not invited to."""
    gone: set[str] = field(default_factory=set)
    """People who have left."""
    revoked: set[str] = field(default_factory=set)
    """Tokens that were good once."""
    scopes: str = SCOPES
    """What the bot may do; auth.test tells it in a header."""
    installable: dict[str, Payload] = field(default_factory=dict)
    """OAuth code -> what oauth.v2.access answers to it, once."""
    tokens: dict[str, Payload] = field(default_factory=dict)
    """Tokens of other workspaces -> what auth.test answers to them."""
    refusals: dict[str, list[str]] = field(default_factory=dict)
    """Errors that the next calls of a method get."""
    rate_limits: dict[str, int] = field(default_factory=dict)
    """How many of the next calls of a method are answered 429."""
    retry_after_s: int = 0
    """What those answers say in Retry-After."""
    triggers: dict[str, float] = field(default_factory=dict)
    """Trigger id -> when Slack forgets it."""
    response_urls: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Path -> when it ends, and how often it may still be used."""
    streams: dict[tuple[str, str], float] = field(default_factory=dict)
    """Messages that are being streamed -> when Slack closes the stream."""
    closes_streams_after: int | None = None
    """Appends that a stream survives, when that is what is tested."""
    now_s: float = 1_790_000_000.0
    url: str = ""
    socket_url: str = ""
    """Where Socket Mode connects to, see `slack_socket`."""
    changed: Condition = field(default_factory=Condition)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def pass_time(self, seconds: float) -> None:
        """Let Slack's clock go on."""
        self.now_s += seconds

    def next_ts(self) -> str:
        return f"{int(self.now_s)}.{next(self._numbers):06d}"

    def next_trigger(self) -> str:
        trigger = f"{next(self._numbers)}.trigger"
        self.triggers[trigger] = self.now_s + TRIGGER_LIVES_S
        return trigger

    def next_response_url(self) -> str:
        path = f"response/{next(self._numbers)}"
        self.response_urls[path] = (self.now_s + RESPONSE_URL_LIVES_S, RESPONSE_URL_USES)
        return f"{self.url}{path}"

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

    def identity(self, token: str) -> Payload:
        """Whose token it is; refused when it is nobody's any more."""
        if not token:
            raise Refused("not_authed")
        if token in self.revoked:
            raise Refused("token_revoked")
        if token in {BOT_TOKEN, APP_TOKEN}:
            return {
                "team": "Acme", "team_id": TEAM, "user": "shortlist", "user_id": BOT_USER, "bot_id": "B0BOT",
            }  # fmt: skip
        if token not in self.tokens:
            raise Refused("invalid_auth")
        return self.tokens[token]

    def delete(self, message: Payload) -> None:
        """Somebody deletes a message. A thread without its root is no place to write any more."""
        del self.messages[message["channel"], message["ts"]]

    def _answer(self, method: str, arguments: Payload) -> Payload:
        if self.refusals.get(method):
            raise Refused(self.refusals[method].pop(0))
        handle: Callable[[Payload], Payload] | None = getattr(self, method.replace(".", "_"), None)
        if handle is None:
            raise Refused("unknown_method")
        return handle(arguments)

    def auth_test(self, arguments: Payload) -> Payload:
        return self.identity(arguments.get("token", BOT_TOKEN))

    def apps_connections_open(self, _: Payload) -> Payload:
        return {"url": self.socket_url}

    def oauth_v2_access(self, arguments: Payload) -> Payload:
        if arguments.get("code") not in self.installable:
            raise Refused("invalid_code")
        return self.installable.pop(arguments["code"])

    def users_info(self, arguments: Payload) -> Payload:
        user = arguments["user"]
        if user in self.gone:
            raise Refused("user_not_found")
        return {"user": {"id": user, "profile": {"display_name": f"name of {user}"}}}

    def conversations_info(self, arguments: Payload) -> Payload:
        channel = self._channel(arguments)
        return {"channel": {"id": channel, "name": channel.lower(), "is_member": True}}

    def conversations_open(self, arguments: Payload) -> Payload:
        user = str(arguments["users"])
        if user in self.gone:
            raise Refused("user_not_found")
        return {"channel": {"id": f"D{user[1:]}"}}

    def chat_postMessage(self, arguments: Payload) -> Payload:  # noqa: N802  Slack's name
        channel = self._channel(arguments)
        self._check_thread(channel, arguments.get("thread_ts"))
        self._check(message_problems(arguments))
        return self._keep(channel, arguments)

    def chat_update(self, arguments: Payload) -> Payload:
        channel = self._channel(arguments)
        message = self._message(channel, arguments["ts"])
        if message["user"] != BOT_USER:
            raise Refused("cant_update_message")
        if self._is_streaming(channel, arguments["ts"]):
            raise Refused("streaming_state_conflict")
        self._check(message_problems(arguments))
        message |= arguments
        return {"channel": channel, "ts": arguments["ts"]}

    def chat_delete(self, arguments: Payload) -> Payload:
        channel = self._channel(arguments)
        self._message(channel, arguments["ts"])
        del self.messages[channel, arguments["ts"]]
        return {"channel": channel, "ts": arguments["ts"]}

    def chat_postEphemeral(self, arguments: Payload) -> Payload:  # noqa: N802  Slack's name
        self._channel(arguments)
        if arguments["user"] in self.gone:
            raise Refused("user_not_in_channel")
        self._check(message_problems(arguments))
        return {"message_ts": self.next_ts()}

    def chat_startStream(self, arguments: Payload) -> Payload:  # noqa: N802  Slack's name
        channel = self._channel(arguments)
        if not arguments.get("thread_ts"):
            raise Refused("invalid_arguments")
        self._check_thread(channel, arguments["thread_ts"])
        for needed in ("recipient_team_id", "recipient_user_id"):
            if not channel.startswith("D") and not arguments.get(needed):
                raise Refused(f"missing_{needed}")
        answer = self._keep(channel, {**arguments, "text": _streamed(arguments), "blocks": []})
        self.streams[channel, answer["ts"]] = self.now_s + STREAM_LIVES_S
        return answer

    def chat_appendStream(self, arguments: Payload) -> Payload:  # noqa: N802  Slack's name
        channel = self._channel(arguments)
        message = self._streaming(channel, arguments["ts"])
        if self.closes_streams_after is not None:
            self.closes_streams_after -= 1
            if self.closes_streams_after < 0:
                del self.streams[channel, arguments["ts"]]
                raise Refused("message_not_in_streaming_state")
        message["text"] += _streamed(arguments)
        if len(message["text"]) > 12_000:
            raise Refused("msg_too_long")
        return {"channel": channel, "ts": arguments["ts"]}

    def chat_stopStream(self, arguments: Payload) -> Payload:  # noqa: N802  Slack's name
        channel = self._channel(arguments)
        message = self._streaming(channel, arguments["ts"])
        message["text"] += _streamed(arguments)
        del self.streams[channel, arguments["ts"]]
        return {"channel": channel, "ts": arguments["ts"], "message": message}

    def reactions_add(self, arguments: Payload) -> Payload:
        self._message(arguments["channel"], arguments["timestamp"])
        return {}

    def conversations_replies(self, arguments: Payload) -> Payload:
        channel, root = self._channel(arguments), arguments["ts"]
        found = [
            m for (c, ts), m in self.messages.items() if c == channel and root in (ts, m.get("thread_ts"))
        ]
        if not found:
            raise Refused("thread_not_found")
        return {"messages": found}

    def conversations_history(self, arguments: Payload) -> Payload:
        channel = self._channel(arguments)
        found = [m for (c, _), m in self.messages.items() if c == channel and not m.get("thread_ts")]
        return {"messages": found[::-1]}

    def views_open(self, arguments: Payload) -> Payload:
        self._use_trigger(arguments)
        self._check(view_problems(arguments["view"]))
        view = {**arguments["view"], "id": f"V{next(self._numbers)}", "hash": self.next_ts()}
        view["root_view_id"] = view["id"]
        self.views[view["id"]] = view
        return {"view": view}

    def push(self, view: Payload) -> Payload:
        """Show the view that a verdict on a submitted form brings; it is refused like any other."""
        with self.changed:
            self._check(view_problems(view))
            view["id"] = f"V{next(self._numbers)}"
            self.views[view["id"]] = view | {"hash": self.next_ts()}
            self.changed.notify_all()
        return view

    def views_push(self, arguments: Payload) -> Payload:
        self._use_trigger(arguments)
        self._check(view_problems(arguments["view"]))
        view = {**arguments["view"], "id": f"V{next(self._numbers)}", "hash": self.next_ts()}
        self.views[view["id"]] = view
        return {"view": view}

    def views_update(self, arguments: Payload) -> Payload:
        named = arguments.get("external_id")
        found = [view for view in self.views.values() if named and view.get("external_id") == named]
        old = found[0] if found else self.views.get(arguments.get("view_id") or "")
        if old is None:
            raise Refused("not_found")
        if arguments.get("hash") not in (None, old["hash"]):
            raise Refused("hash_conflict")
        self._check(view_problems(arguments["view"]))
        self.views[old["id"]] = {**arguments["view"], "id": old["id"], "hash": self.next_ts()}
        return {"view": self.views[old["id"]]}

    def views_publish(self, arguments: Payload) -> Payload:
        if arguments["user_id"] in self.gone:
            raise Refused("user_not_found")
        self._check(view_problems(arguments["view"]))
        return {"view": arguments["view"]}

    def response_url(self, _: Payload) -> Payload:
        """Not a method of the Web API, but where answers to commands and buttons may be sent."""
        return {}

    def assistant_threads_setStatus(self, _: Payload) -> Payload:  # noqa: N802  Slack's name
        return {}

    def assistant_threads_setTitle(self, _: Payload) -> Payload:  # noqa: N802  Slack's name
        return {}

    def assistant_threads_setSuggestedPrompts(self, arguments: Payload) -> Payload:  # noqa: N802  Slack's name
        prompts = arguments["prompts"]
        prompts = json.loads(prompts) if isinstance(prompts, str) else prompts
        if not 1 <= len(prompts) <= 4:
            raise Refused("invalid_arguments")
        return {}

    def agents_sessions_setStatus(self, arguments: Payload) -> Payload:  # noqa: N802  Slack's name
        if arguments["status"] not in _STATUSES:
            raise Refused("invalid_status")
        self._channel({"channel": arguments["channel_id"]})
        return {"status": arguments["status"]}

    def agents_sessions_rename(self, _: Payload) -> Payload:
        return {}

    def files_info(self, arguments: Payload) -> Payload:
        facts = self.file_facts.get(arguments["file"])
        if facts is None or facts.get("mode") == "deleted":
            raise Refused("file_not_found")
        return {"file": facts}

    def files_getUploadURLExternal(self, arguments: Payload) -> Payload:  # noqa: N802  Slack's name
        name = f"F{next(self._numbers)}"
        return {"file_id": name, "upload_url": f"{self.url}upload/{name}/{arguments['filename']}"}

    def files_completeUploadExternal(self, arguments: Payload) -> Payload:  # noqa: N802  Slack's name
        channel = arguments.get("channel_id") or arguments.get("channels")
        if channel:
            self._check_thread(self._channel({"channel": channel}), arguments.get("thread_ts"))
        files = arguments["files"]
        return {"files": json.loads(files) if isinstance(files, str) else files}

    def _keep(self, channel: str, arguments: Payload) -> Payload:
        message = {**arguments, "ts": self.next_ts(), "channel": channel, "user": BOT_USER}
        self.messages[channel, message["ts"]] = message
        return {"channel": channel, "ts": message["ts"], "message": message}

    def _use_trigger(self, arguments: Payload) -> None:
        """A trigger opens one view, soon."""
        ends = self.triggers.pop(arguments["trigger_id"], None)
        if ends is None or ends < self.now_s:
            raise Refused("expired_trigger_id")

    def _message(self, channel: str, ts: str) -> Payload:
        if (channel, ts) not in self.messages:
            raise Refused("message_not_found")
        return self.messages[channel, ts]

    def _check_thread(self, channel: str, thread_ts: str | None) -> None:
        """A thread is named by its root, which is still there, never by a reply in it."""
        if not thread_ts:
            return
        root = self.messages.get((channel, thread_ts))
        if root is None or root.get("thread_ts") not in (None, thread_ts):
            raise Refused("thread_not_found")

    def _is_streaming(self, channel: str, ts: str) -> bool:
        return self.streams.get((channel, ts), 0.0) > self.now_s

    def _streaming(self, channel: str, ts: str) -> Payload:
        message = self._message(channel, ts)
        if not self._is_streaming(channel, ts):
            raise Refused("message_not_in_streaming_state")
        return message

    def _channel(self, arguments: Payload) -> str:
        """A person's id opens the direct conversation with them."""
        channel = arguments["channel"]
        if channel in self.without_bot:
            raise Refused("channel_not_found")
        if channel in self.gone:
            raise Refused("user_not_found")
        return f"D{channel[1:]}" if channel.startswith("U") else channel

    @staticmethod
    def _check(problems: list[str]) -> None:
        if problems:
            named = [problem for problem in problems if problem.startswith(("msg_", "no_"))]
            raise Refused(named[0] if named else f"invalid_blocks: {'; '.join(problems)}")


def _streamed(arguments: Payload) -> str:
    chunks = arguments.get("chunks") or []
    chunks = json.loads(chunks) if isinstance(chunks, str) else chunks
    parts = [chunk.get("text", "") for chunk in chunks if chunk.get("type") == "markdown_text"]
    return str(arguments.get("markdown_text") or "") + "".join(parts)
