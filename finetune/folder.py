"""A job's folder <-> values: what the worker lays in for the recipe, and what the recipe leaves.

In: spec.json, context.json. Out: events.jsonl (appended), log.txt, and at the end result.json or error.json.
A recipe may be killed at any moment, so every reader here expects half a line and half a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from finetune.atomic import write_text
from finetune.spec import EvaluationSpec, TuningSpec
from finetune.state import EventKind
from index.bilingual import Bilingual
from index.errors import JobFailed

_CHUNK_BYTES = 2**20
_LOG_TAIL_BYTES = 2**18
_RECIPE_EVENTS = frozenset(get_args(EventKind)) - {"state"}
"""States are the worker's to tell."""


class UnreadableResult(JobFailed):
    """The job ended with a result that is not what a result looks like."""

    def __init__(self, job_id: str, why: Bilingual) -> None:
        super().__init__(
            Bilingual(
                en=f"The result of job {job_id} cannot be read: {why.en}. "
                f"Run it once more: `shortlist jobs repeat {job_id}`.",
                zh=f"任务 {job_id} 的结果无法读取：{why.zh}。请再运行一次：`shortlist jobs repeat {job_id}`。",
            )
        )


class JobFolder:
    """The files of one job."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self, spec: EvaluationSpec | TuningSpec, context: Mapping[str, Any]) -> None:
        """Lay in what the recipe reads, and clear what an earlier attempt would be mistaken by."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._file("error.json").unlink(missing_ok=True)
        self._end_torn_line()
        write_text(self._file("spec.json"), spec.model_dump_json(indent=2))
        write_text(self._file("context.json"), json.dumps(context))

    def new_lines(self, offset: int) -> bytes:
        """What was added to events.jsonl after `offset`, up to the last line end.

        A line beyond all measure is taken in pieces, which are no events, so that it does not block the rest.
        """
        path = self._file("events.jsonl")
        if not path.exists() or path.stat().st_size <= offset:
            return b""
        with path.open("rb") as file:
            file.seek(offset)
            chunk = file.read(_CHUNK_BYTES)
        if b"\n" not in chunk:
            return chunk if len(chunk) == _CHUNK_BYTES else b""
        return chunk[: chunk.rindex(b"\n") + 1]

    @property
    def has_result(self) -> bool:
        """True when the recipe came to its end: it writes the file in one step."""
        return self._file("result.json").exists()

    def result(self) -> dict[str, Any]:
        """Read result.json. NaN and infinities become None: unknown, and valid JSON."""
        try:
            text = self._file("result.json").read_text(encoding="utf-8")
            result = json.loads(text, parse_constant=lambda _: None)
        except OSError as error:
            why = Bilingual(
                f"there is no {self._file('result.json')} any more ({error.strerror})",
                f"{self._file('result.json')} 已不存在（{error.strerror}）",
            )
            raise UnreadableResult(self.path.name, why) from error
        except (ValueError, RecursionError) as error:  # nested too deep is as unreadable as cut off
            where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else str(error)
            why = Bilingual(
                f"result.json was cut off or edited ({where})", f"result.json 不完整或被改动（{where}）"
            )
            raise UnreadableResult(self.path.name, why) from error
        if not isinstance(result, dict):
            why = Bilingual("result.json is not a JSON object", "result.json 不是 JSON 对象")
            raise UnreadableResult(self.path.name, why)
        return result

    def stated_reason(self) -> Bilingual | None:
        """The recipe's own words for why it failed, if it came to say them."""
        try:
            error = json.loads(self._file("error.json").read_text(encoding="utf-8"))
            return Bilingual(en=str(error["en"]), zh=str(error["zh"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def log_tail(self, lines: int) -> str:
        """The last lines that the recipe and its libraries printed."""
        path = self._file("log.txt")
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _end_torn_line(self) -> None:
        """Keep the first event of a new attempt apart from the half line of a killed one."""
        path = self._file("events.jsonl")
        if path.exists() and not path.read_bytes().endswith(b"\n"):
            with path.open("ab") as file:
                file.write(b"\n")

    def _file(self, name: str) -> Path:
        return self.path / name


def read_event(line: bytes) -> tuple[EventKind, dict[str, Any]] | None:
    """Read one line of events.jsonl; None for what is none. NaN becomes None: unknown, and valid JSON."""
    try:
        event = json.loads(line, parse_constant=lambda _: None)
        kind, data = event["kind"], event["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (kind, data) if kind in _RECIPE_EVENTS and isinstance(data, dict) else None
