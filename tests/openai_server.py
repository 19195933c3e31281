"""A small OpenAI-compatible server over loopback HTTP: embeddings made of words, and chat answers that a test scripts.

Ours, of the standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import MappingProxyType
from typing import Any

from tests.index.builders import WordVectors

Payload = dict[str, Any]


@dataclass
class Server:
    """What was asked of it, and where it is."""

    url: str = ""
    asked: list[Payload] = field(default_factory=list)
    is_down: bool = False
    """When true, every request is answered 500."""
    says: str = ""
    """What the chat model says, whole or as a stream."""
    fills: Payload | None = None
    """What it answers when a shape is asked for; None is the same as `says`."""
    raw: bytes | None = None
    """Sent in place of any chat answer."""
    refusal: str | None = None
    ends_with: str = "stop"
    waits_s: float = 0.0
    """Before it says the first word; a test that waits sets a shorter time-out."""
    answers: Callable[[Payload], str] | None = None
    """What it says to one request, in place of `says`."""
    fails: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Status and headers of the next chat requests, one each, before it answers again."""
    error_code: str | None = None
    """The provider's short name for such a failure."""
    key: str | None = None
    """When given, a request with another is answered 401, with the key in the message as some do."""
    usage: tuple[int, int] | None = (1, 1)
    """Tokens of prompt and answer; None tells nothing."""
    takes_temperature: bool = True
    is_over: Event = field(default_factory=Event)

    @property
    def chats(self) -> list[Payload]:
        """The chat requests."""
        return [asked for asked in self.asked if asked["path"].endswith("/chat/completions")]


@contextmanager
def openai_server() -> Iterator[Server]:
    """Serve until the block ends."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            given = self.headers.get("Authorization", "").removeprefix("Bearer ")
            server.asked.append({"path": self.path, "key": given, **body})
            if failure := failure_of(server, self.path, body, given):
                self.answer(*failure)
            elif self.path.endswith("/chat/completions"):
                server.is_over.wait(server.waits_s)
                with suppress(OSError):  # who asked may have gone
                    self.send(*chat_of(server, body))
            else:
                self.answer(200, embeddings_of(body))

        def send(self, data: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def answer(
            self, status: int, value: Payload, headers: Mapping[str, str] = MappingProxyType({})
        ) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=http.serve_forever, args=(0.05,))
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_port}/v1"
    try:
        yield server
    finally:
        server.is_over.set()
        http.shutdown()
        thread.join()
        http.server_close()


def failure_of(
    server: Server, path: str, body: Payload, key: str
) -> tuple[int, Payload, dict[str, str]] | None:
    """Status, error and headers, when the request is not answered."""
    if server.is_down:
        return 500, {"error": {"message": "down for the test"}}, {}
    if server.key is not None and key != server.key:
        return 401, {"error": {"message": f"wrong key {key}", "code": "invalid_api_key"}}, {}
    if "temperature" in body and not server.takes_temperature:
        return 400, {"error": {"message": "Unsupported value: 'temperature'"}}, {}
    if path.endswith("/chat/completions") and server.fails:
        status, headers = server.fails.pop(0)
        return status, {"error": {"message": "for the test", "code": server.error_code}}, headers
    return None


def embeddings_of(body: Payload) -> Payload:
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    vectors = WordVectors(dimensions=48).embed_documents(texts)
    data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]
    return {
        "object": "list",
        "model": body["model"],
        "data": data,
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    }


def chat_of(server: Server, body: Payload) -> tuple[bytes, str]:
    """What is sent, and its kind."""
    if body.get("stream"):
        return server.raw or stream_of(server, body), "text/event-stream"
    return server.raw or json.dumps(completion_of(server, body)).encode(), "application/json"


def completion_of(server: Server, body: Payload) -> Payload:
    """A whole chat answer; in the shape that is asked for, when the test gives one."""
    is_shaped = server.fills is not None and "response_format" in body
    text = json.dumps(server.fills, ensure_ascii=False) if is_shaped else said_to(server, body)
    message = {"role": "assistant", "content": text, "refusal": server.refusal}
    choice = {"index": 0, "message": message, "finish_reason": server.ends_with}
    return {
        "id": "chat-1",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [choice],
        **usage_of(server),
    }


def said_to(server: Server, body: Payload) -> str:
    return server.says if server.answers is None else server.answers(body)


def usage_of(server: Server) -> Payload:
    if server.usage is None:
        return {}
    asked, said = server.usage
    return {"usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}}


def stream_of(server: Server, body: Payload) -> bytes:
    """The same as server-sent events, a few characters each, so that no chunk ends with a sentence."""
    deltas: list[Payload] = [{"role": "assistant", "content": ""}]
    text = said_to(server, body)
    deltas += [{"content": text[i : i + 7]} for i in range(0, len(text), 7)]
    if server.refusal:
        deltas.append({"refusal": server.refusal})
    chunks = [_chunk({"index": 0, "delta": delta, "finish_reason": None}) for delta in deltas]
    chunks.append(_chunk({"index": 0, "delta": {}, "finish_reason": server.ends_with}))
    if body.get("stream_options", {}).get("include_usage"):
        chunks.append({**_chunk({}), "choices": [], **usage_of(server)})
    events = [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in chunks]
    return "".join([*events, "data: [DONE]\n\n"]).encode()


def _chunk(choice: Payload) -> Payload:
    return {
        "id": "chat-1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "m",
        "choices": [choice],
    }
