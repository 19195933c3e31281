"""The far end of Socket Mode: a WebSocket that hands envelopes to the bot and takes its acknowledgements.

Ours, of the standard library only; it speaks just as much of RFC 6455 as one honest client needs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import struct
from queue import Queue
from threading import Thread
from typing import Any

from tests.slack_server import PATIENCE_S, TEAM, Payload

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE = 1, 8


class SlackSocket:
    """Accepts one bot; `deliver` sends it a payload, `acknowledged` tells what it acknowledged."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._envelopes: Queue[Payload | None] = Queue()
        self._acknowledged: Queue[str] = Queue()
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._listener.getsockname()[1]}/link"

    def deliver(self, event: Payload, envelope_id: str) -> None:
        """Send an event as Slack does: the same payload as over HTTP, in an envelope."""
        payload = {"type": "event_callback", "team_id": TEAM, "event_id": envelope_id, "event": event}
        self._envelopes.put({"type": "events_api", "envelope_id": envelope_id, "payload": payload})

    def acknowledged(self) -> str:
        """The id of the next envelope that the bot acknowledged."""
        return self._acknowledged.get(timeout=PATIENCE_S)

    def close(self) -> None:
        self._envelopes.put(None)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as stream:
            _shake_hands(connection, stream)
            _send(connection, {"type": "hello"})
            Thread(target=self._send_envelopes, args=(connection,), daemon=True).start()
            while (message := _receive(stream)) is not None:
                if "envelope_id" in message:
                    self._acknowledged.put(message["envelope_id"])

    def _send_envelopes(self, connection: socket.socket) -> None:
        while (envelope := self._envelopes.get()) is not None:
            _send(connection, envelope)


def _shake_hands(connection: socket.socket, stream: Any) -> None:
    key = b""
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        key = value.strip() if name.lower() == b"sec-websocket-key" else key
    accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest())  # noqa: S324  RFC 6455 says so
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def _send(connection: socket.socket, message: Payload) -> None:
    content = json.dumps(message).encode()
    length = bytes([len(content)]) if len(content) < 126 else b"\x7e" + struct.pack(">H", len(content))
    connection.sendall(bytes([0x80 | _TEXT]) + length + content)


def _receive(stream: Any) -> Payload | None:
    """The next message; {} for pings and the like; None when the bot is gone."""
    head = stream.read(2)
    if len(head) < 2:
        return None
    length = head[1] & 0x7F
    if length == 126:
        (length,) = struct.unpack(">H", stream.read(2))
    mask, content = stream.read(4), stream.read(length)
    text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(content))
    kind = head[0] & 0x0F
    return json.loads(text) if kind == _TEXT else None if kind == _CLOSE else {}
