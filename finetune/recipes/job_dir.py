"""A recipe's side of its job folder: spec.json and context.json in; events, result.json or error.json out.

A recipe may be killed at any moment and started again on the same folder, so lines are appended in one
piece, files appear whole, and whoever reads lines back skips a torn one.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict

from finetune.atomic import write_text
from finetune.state import EventKind
from index.bilingual import Bilingual
from index.disk import DiskFull, disk_trouble
from index.errors import ShortlistError
from index.sealing import opened_line, sealed_line

_SECONDS_BETWEEN_PROGRESS_EVENTS = 1.0


class Context(BaseModel):
    """What the worker tells a recipe beside the spec."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    home: Path
    threads: int = 2
    models: Path | None = None
    """Where converted models are kept; None means where `models_folder` says."""


@dataclass(slots=True)
class JobDir:
    """The folder of one job, as its recipe sees it."""

    path: Path
    _last_progress_s: float = field(default=-_SECONDS_BETWEEN_PROGRESS_EVENTS)

    @property
    def spec_json(self) -> str:
        """What is to be done."""
        return (self.path / "spec.json").read_text("utf-8")

    @property
    def context(self) -> Context:
        """Where and with what."""
        return Context.model_validate_json((self.path / "context.json").read_text("utf-8"))

    def emit(self, kind: EventKind, data: Mapping[str, Any]) -> None:
        """Report that something happened."""
        # For the worker, which reads no data: never sealed.
        _append(
            self.path / "events.jsonl", json.dumps({"kind": kind, "data": data}, ensure_ascii=False).encode()
        )

    def progress(
        self,
        done: int,
        total: int,
        stage: str,
        *,
        left_s: float | None = None,
        spent_usd: Callable[[], float | None] | None = None,
    ) -> None:
        """Report how far it is, how long the stage will still take where that is known, and what it has cost so far.

        At most once a second, except at the end of a stage.
        """
        now_s = time.monotonic()
        if done >= total or now_s - self._last_progress_s >= _SECONDS_BETWEEN_PROGRESS_EVENTS:
            self._last_progress_s = now_s
            known = {} if left_s is None else {"left_s": round(left_s, 1)}
            if spent_usd is not None and (usd := spent_usd()) is not None:
                known["spent_usd"] = round(usd, 6)
            self.emit("progress", {"done": done, "total": total, "stage": stage, **known})

    def note(self, sentence: Bilingual) -> None:
        """Tell the person something that they should know."""
        self.emit("note", {"en": sentence.en, "zh": sentence.zh})

    def finish(self, result: Mapping[str, Any]) -> None:
        """Leave the result; the job is done once this file is there."""
        write_json(self.path / "result.json", result)


def run(recipe: Callable[[JobDir], None]) -> NoReturn:
    """Run a recipe on the folder named on the command line, and exit as the worker expects.

    0: result.json is there. 1 with error.json: an expected failure. 143: asked to end. Anything else is a
    bug or a crash, with its traceback in the log.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, _end)
    job = JobDir(Path(sys.argv[1]).absolute())
    try:
        recipe(job)
    except ShortlistError as error:
        _state_reason(job, error)
    except OSError as error:
        trouble = disk_trouble(error)
        if trouble is None or isinstance(trouble, DiskFull):
            raise  # a full disk is the worker's to wait for
        logging.getLogger(__name__).exception("not writable")
        _state_reason(job, trouble)
    sys.exit(0)


def start_child(
    context: ForkContext | SpawnContext, target: Callable[..., None], *arguments: Any
) -> BaseProcess:
    """Start a process that ends with this one, also when this one is asked to end in that very moment."""
    child = context.Process(target=_serve_as_child, args=(target, *arguments), daemon=True)
    with _end.held_back():
        child.start()
    return child


def _serve_as_child(target: Callable[..., None], *arguments: Any) -> None:
    _end.release()  # a fork inherits what its parent held back
    target(*arguments)


def _state_reason(job: JobDir, error: ShortlistError) -> NoReturn:
    write_json(job.path / "error.json", {"en": error.message.en, "zh": error.message.zh})
    sys.exit(1)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file in one step. NaN is refused: it is not JSON, and unknown is null."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False))


def read_json(path: Path) -> dict[str, Any]:
    """Read back what `write_json` wrote."""
    value: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return value


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append one line in a single write, so that two processes and a kill cannot mix lines up.

    It may quote rows, so it is sealed where the house has a data key.
    """
    _append(path, sealed_line(json.dumps(value, ensure_ascii=False).encode()))


def _append(path: Path, line: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, line + b"\n")
    finally:
        os.close(handle)


def end_torn_line(path: Path) -> None:
    """Keep the next line apart from the half line that a killed run left."""
    if path.is_file() and not path.read_bytes().endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield what was appended before; a line that was torn by a crash is skipped."""
    if not path.is_file():
        return
    for line in path.read_bytes().split(b"\n"):
        try:
            value = json.loads(opened_line(line).decode("utf-8", errors="replace"))
        except (ValueError, RecursionError):  # nested too deep, or a number of thousands of digits
            continue
        if isinstance(value, dict):
            yield value


class _End:
    """Ends this process with its children when it is asked to, without an exception: what was finished is on disk.

    A signal may come while a fork hook or a destructor runs. Python drops an exception that is raised there,
    and the job would go on. It may also come between a fork and the moment when the child is known: a child that is
    missed would wait for rows for ever. Blocking the signal would not do, as libraries have threads that take it.
    """

    def __init__(self) -> None:
        self._is_held_back = False
        self._is_asked = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        self._is_asked = True
        if not self._is_held_back:
            self._end()

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Answer a request only afterwards."""
        self._is_held_back = True
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Answer requests from now on, and the one that has come."""
        self._is_held_back = False
        if self._is_asked:
            self._end()

    def _end(self) -> NoReturn:
        for child in multiprocessing.active_children():
            child.kill()
        os._exit(128 + signal.SIGTERM)


_end = _End()
