"""A small OpenAI-compatible server over loopback HTTP: embeddings made of words. Ours, of the standard library only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
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
            else:
                self.answer(200, embeddings_of(body))

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
