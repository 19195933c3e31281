"""Log records -> lines that can be searched, under the request they belong to, and that hold nothing of anybody's data.

What is logged is a fixed message with fields. Of an exception its type and the places it went through are kept, not its
message: libraries put parameters, rows and whole requests into those. Of other people's libraries only warnings are.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TextIO

from index.caller import current_request_id

LogFormat = Literal["text", "json"]

_OURS = ("bot", "skills", "finetune", "index", "__main__")
_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request_id", "taskName"}
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def configure(level: str, log_format: LogFormat, stream: TextIO | None = None) -> logging.Handler:
    """Log to standard error, unless something is configured already; returns the handler."""
    handler = logging.StreamHandler(stream or sys.stderr)
    # On the handler too: some libraries set the level of their own loggers.
    handler.setLevel(level)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
    handler.addFilter(_is_wanted)
    logging.basicConfig(handlers=[handler], level=level)
    return handler


def _is_wanted(record: logging.LogRecord) -> bool:
    """Everything of ours; of libraries what went wrong: at lower levels they log requests with all that is in them."""
    record.request_id = current_request_id()
    return record.name.split(".", 1)[0] in _OURS or record.levelno >= logging.WARNING


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", None),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = _lines(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """One line for a person: time, level, logger, message, then the fields as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(sep=" ", timespec="milliseconds")
        request_id = getattr(record, "request_id", None)
        named = {**({"request": request_id} if request_id else {}), **_fields(record)}
        fields = "".join(f" {name}={value}" for name, value in named.items())
        line = f"{at[:23]} {record.levelname} {record.name}: {record.getMessage()}{fields}".replace(
            "\n", "\\n"
        )
        return "\n".join([line, *_lines(record.exc_info)]) if record.exc_info else line


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What the record was given beside its message."""
    return {name: value for name, value in vars(record).items() if name not in _KNOWN}


def _lines(exc_info: _ExcInfo | bool) -> list[str]:
    """Where an exception went through and what type it is, the cause before the effect; never its message."""
    error = exc_info[1] if isinstance(exc_info, tuple) else None
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines: list[str] = []
    for one in reversed(chain):
        frames = traceback.extract_tb(one.__traceback__)
        lines += [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        lines.append(f"{type(one).__module__}.{type(one).__qualname__}")
    return lines
