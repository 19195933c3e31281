"""A small OpenAI-compatible server over loopback HTTP: embeddings made of words, and chat answers that a test scripts.

Ours, of the standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
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
            server.asked.append({"path": self.path, **body})
            if server.is_down:
                self.answer(500, {"error": {"message": "down for the test"}})
            elif self.path.endswith("/chat/completions"):
                server.is_over.wait(server.waits_s)
                with suppress(OSError):  # who asked may have gone
                    self.chat(body)
            else:
                self.answer(200, embeddings_of(body))

        def chat(self, body: Payload) -> None:
            if server.raw is not None:
                self.send(server.raw, "text/event-stream" if body.get("stream") else "application/json")
            elif body.get("stream"):
                self.send(stream_of(server), "text/event-stream")
            else:
                self.answer(200, completion_of(server, body))

        def send(self, data: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def answer(self, status: int, value: Payload) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
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


def completion_of(server: Server, body: Payload) -> Payload:
    """A whole chat answer; in the shape that is asked for, when the test gives one."""
    is_shaped = server.fills is not None and "response_format" in body
    text = json.dumps(server.fills, ensure_ascii=False) if is_shaped else server.says
    message = {"role": "assistant", "content": text, "refusal": server.refusal}
    choice = {"index": 0, "message": message, "finish_reason": server.ends_with}
    return {
        "id": "chat-1",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [choice],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def stream_of(server: Server) -> bytes:
    """The same as server-sent events, a few characters each, so that no chunk ends with a sentence."""
    deltas: list[Payload] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": server.says[i : i + 7]} for i in range(0, len(server.says), 7)]
    if server.refusal:
        deltas.append({"refusal": server.refusal})
    chunks = [_chunk({"index": 0, "delta": delta, "finish_reason": None}) for delta in deltas]
    chunks.append(_chunk({"index": 0, "delta": {}, "finish_reason": server.ends_with}))
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
