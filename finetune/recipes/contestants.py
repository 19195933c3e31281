"""Turn a candidate into a process of its own that answers batches of rows, and tells what it measured.

One that runs out of memory or crashes fails alone. Its model is loaded when the first row is not answered yet,
and stays loaded between batches as long as there is memory for the next one.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext, SpawnContext
from pathlib import Path
from typing import Any

import torch

from finetune.admission import admission
from finetune.columns import Row
from finetune.device import Device
from finetune.models import models_folder, resolve
from finetune.recipes.answer_key import answer_key
from finetune.recipes.answers import Answer, answer_rows, answers_so_far, spending, take_kept, to_keep
from finetune.recipes.askers import asker_for, scoring_rule
from finetune.recipes.asking import Asker
from finetune.recipes.energy import EnergyMeter
from finetune.recipes.job_dir import Context, JobDir, read_json, start_child, write_json
from finetune.recipes.kept_answers import KeptAnswers, row_key
from finetune.recipes.loading import (
    architecture_for,
    environment,
    load_model,
    load_tokenizer,
    prepare_libraries,
    revision_of,
)
from finetune.recipes.memory import MemoryMeter, device_here
from finetune.recipes.prompts import Shots, question_of
from finetune.recipes.shut_in import shut_in_for
from finetune.recipes.weights import weights_sha256
from finetune.spec import Candidate, EvaluationSpec
from index.bilingual import Bilingual
from index.errors import ShortlistError

logger = logging.getLogger(__name__)

_PATIENCE_S = 10.0
_ABOUT_ROWS = frozenset({"rows_too_long", "too_long", "rows_out_of_memory", "no_room"})
"""What was measured of this job's rows, and not of the candidate."""
_ROOM = 1.3
"""Another model is loaded beside the present ones when so many times the largest of them is free."""
_PACED_ROWS = 5
"""After so many rows the time for the rest is told."""

UNANSWERED = ("too_long", "no_room")
"""Rows, by id, that a candidate's context or memory does not suffice for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What every candidate is asked, and how the candidates are called."""

    spec: EvaluationSpec
    rows: tuple[Row, ...]
    """In the order in which they are asked."""
    shots: Shots
    left_out: int
    """Rows that a candidate's adapter was trained on."""
    names: tuple[str, ...]
    metric: str
    """The one that decides."""

    @property
    def total(self) -> int:
        """Answers of a full run."""
        return len(self.rows) * len(self.names)


@dataclass(slots=True)
class Contestant:
    """One candidate as the evaluation sees it."""

    job: JobDir
    task: Task
    index: int
    failure: Bilingual | None = None
    is_out: bool = False
    """Asked no more: eliminated, failed, or finished in an earlier run."""
    need_gib: float | None = None
    """Memory that it is expected to need; None where that is unknown."""
    _process: multiprocessing.process.BaseProcess | None = None
    _pipe: Connection | None = None
    _kept: KeptAnswers | None = None
    _is_looked_up: bool = False
    _noted: set[str] = field(default_factory=set)
    """Rows whose answers this run has kept for later jobs."""

    @property
    def name(self) -> str:
        """As tables call it."""
        return self.task.names[self.index]

    @property
    def candidate(self) -> Candidate:
        """What was asked for."""
        return self.task.spec.candidates[self.index]

    @property
    def measured(self) -> dict[str, Any]:
        """Memory, load time, revision and the like, once it has answered a row."""
        return read_json(self._outcome) if self._outcome.is_file() else {}

    @property
    def answers(self) -> list[Answer]:
        """All that it has answered, also in an earlier run."""
        return answers_so_far(self.job, self.name)

    def admit(self, device: Device) -> None:
        """Look at it before it is loaded; `failure` says why it cannot be."""
        spec, context = self.task.spec, self.job.context
        shown = "".join((spec.instruction or "", *(part for shot in self.task.shots for part in shot)))
        texts = (shown + question_of(row) for row in self.task.rows)
        try:
            known = admission(
                self.candidate,
                spec.dataset,
                texts,
                device,
                models=models_folder(context.home, shared=context.models),
            )
        except ShortlistError as error:
            self.failure = error.message
            return
        self.failure = known.refusal
        self.need_gib = known.memory_gib

    def answer(self, rows: Sequence[Row], done: int) -> None:
        """Answer the rows that are not answered yet; `failure` says why if it could not.

        `done`: rows that all candidates together have behind them, for the progress.
        """
        done += self._take_kept(rows, done)
        known = {answer.row for answer in self.answers}
        known |= {row for name in UNANSWERED for row in self.measured.get(name, ())}
        left = [row.id for row in rows if row.id not in known]
        if not left and self.measured:
            return
        if self._process is None:
            self._start()
        assert self._pipe is not None  # noqa: S101 - _start has opened it
        try:
            self._pipe.send((left, done))
            said = self._pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            said = self._ended_without_a_word()
        if said is not None:
            self.failure = said
            self.close()
        else:
            self._keep()

    def _take_kept(self, rows: Sequence[Row], done: int) -> int:
        """Take what an earlier job has kept; return how many answers that is. No weights are loaded."""
        have, kept = {answer.row for answer in self.answers}, self._read_kept()
        found = [(row, line) for row in rows if row.id not in have and (line := kept.get(row_key(row)))]
        told = [(row, line) for row, line in found if not line.get("is_too_long")]
        take_kept(self.job, self.name, told, self.task.metric)
        if self._kept and found and self._process is None and (measured := self._kept.measured):
            too_long = [row.id for row in self.task.rows if kept.get(row_key(row), {}).get("is_too_long")]
            write_json(self._outcome, {**measured, "rows_too_long": len(too_long), "too_long": too_long})
        if told:
            self.job.progress(done + len(told), self.task.total, self.name)
        return len(told)

    def _read_kept(self) -> dict[str, dict[str, Any]]:
        """What earlier jobs have kept; nothing where all is to be asked anew."""
        if not self._is_looked_up:
            self._is_looked_up, self._kept = True, _kept_answers(self.job, self.task, self.index)
        return {} if self._kept is None or self.task.spec.fresh else self._kept.read()

    def _keep(self) -> None:
        """Keep what is new for later jobs. That it cannot be kept is no reason to fail."""
        if self._kept is None:
            return
        measured = self.measured
        new_answers = [a for a in self.answers if not a.is_cached and a.problem != "failed"]
        by_row = {answer.row: to_keep(answer) for answer in new_answers}
        by_row |= {row: {"is_too_long": True} for row in measured.get("too_long", ())}
        known = set() if self.task.spec.fresh else set(self._kept.read())
        new = {
            row.id: {"row": key, **by_row[row.id]}
            for row in self.task.rows
            if row.id in by_row and row.id not in self._noted and (key := row_key(row)) not in known
        }
        try:
            self._kept.add(new.values())
            self._kept.keep_measured({n: v for n, v in measured.items() if n not in _ABOUT_ROWS})
        except OSError:
            logger.warning("answers not kept", extra={"candidate": self.name}, exc_info=True)
        self._noted |= set(new)

    def n_to_ask(self, rows: Sequence[Row]) -> int:
        """How many of the rows it would have to be asked, as neither this job nor an earlier one has."""
        have, kept = {answer.row for answer in self.answers}, self._read_kept()
        return 0 if self.is_out else sum(row.id not in have and row_key(row) not in kept for row in rows)

    def clear_the_way(self, others: Sequence[Contestant]) -> None:
        """Have the others let go of their models when this one would not fit beside them."""
        if self._process is None and self.need_gib is not None and device_here().free_gib < self.need_gib:
            for other in others:
                other.close()

    def makes_room(self) -> None:
        """Let go of the model when memory for another one is short."""
        if device_here().free_gib < _ROOM * float(self.measured.get("peak_memory_gib") or 0.0):
            self.close()

    def close(self) -> None:
        """End the process; a later batch loads the model again."""
        if self._pipe is not None:
            # A word, not only a closed pipe: processes forked later hold copies of its ends.
            with contextlib.suppress(OSError):
                self._pipe.send(None)
            self._pipe.close()
        if self._process is not None:
            self._process.join(_PATIENCE_S)
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None

    @property
    def _outcome(self) -> Path:
        return self.job.path / "candidates" / f"{self.index}.outcome.json"

    def _start(self) -> None:
        context = _processes()
        self._pipe, theirs = context.Pipe()
        self._process = start_child(
            context, _serve, self.job.path, self.task, self.index, self._outcome, theirs
        )
        theirs.close()

    def _ended_without_a_word(self) -> Bilingual:
        exit_code = None
        if self._process is not None:
            self._process.join()
            exit_code = self._process.exitcode
        return ended_without_a_word(exit_code)


def _kept_answers(job: JobDir, task: Task, index: int) -> KeptAnswers | None:
    """Where the answers of a candidate are kept; None where it cannot be told what it is."""
    try:
        key = answer_key(task.spec.candidates[index], task.spec, task.shots)
    except (ShortlistError, OSError):
        return None
    return None if key is None else KeptAnswers(job.context.home, key)


def _processes() -> ForkContext | SpawnContext:
    """A fork shares the imported libraries, which saves seconds; CUDA and macOS do not survive one."""
    if sys.platform == "linux" and not torch.cuda.is_available():
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


def _serve(job_path: Path, task: Task, index: int, outcome: Path, pipe: Connection) -> None:
    """Run in the child: load the candidate, answer batch after batch until the pipe closes."""
    try:
        _answer_batches(JobDir(job_path), task, index, outcome, pipe)
    except ShortlistError as error:
        pipe.send(error.message)
    except torch.OutOfMemoryError:
        pipe.send(_out_of_memory())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A candidate that is ready to be asked."""

    asker: Asker
    measured: Callable[[], dict[str, Any]]
    """What a result says of it beside its answers, so far."""
    too_long: Sequence[str] = ()
    """Rows that it cannot read."""
    counting: Callable[[int], AbstractContextManager[None]] = lambda _rows: nullcontext()
    """Counts the joules of so many rows, where they can be counted."""


def _answer_batches(job: JobDir, task: Task, index: int, outcome: Path, pipe: Connection) -> None:
    name = task.names[index]
    ids, done = pipe.recv()
    job.progress(done, task.total, f"{name}: loading")
    is_hosted, context = task.spec.candidates[index].is_hosted, job.context
    opened = _open_hosted(context, task, index) if is_hosted else _open_local(context, task, index, outcome)
    while True:
        wanted = set(ids) - set(opened.too_long)
        batch = [row for row in task.rows if row.id in wanted]
        on_row = _pace(job, task, name, done, len(opened.too_long))
        with opened.counting(len(batch)):
            answer_rows(job, name, opened.asker, batch, task.metric, on_row)
        write_json(outcome, opened.measured())
        pipe.send(None)
        asked = _next(pipe)
        if asked is None:
            return
        ids, done = asked


def _pace(job: JobDir, task: Task, name: str, done: int, too_long: int) -> Callable[[int], None]:
    """Tell the progress and, after the first rows, how long the candidate's other rows take if it stays."""
    started_s, already = time.monotonic(), len(answers_so_far(job, name))

    candidate = task.spec.candidates[task.names.index(name)]

    def spent_usd() -> float | None:
        paid = [answer for answer in answers_so_far(job, name) if not answer.is_cached]
        return spending(paid)["usd"] if candidate.is_hosted else None

    def tell(answered: int) -> None:
        new, left = answered - already, len(task.rows) - too_long - answered
        each_s = (time.monotonic() - started_s) / new
        left_s = each_s * left if new >= _PACED_ROWS else None
        job.progress(done + new, task.total, name, left_s=left_s, spent_usd=spent_usd)

    return tell


def _open_hosted(context: Context, task: Task, index: int) -> _Opened:
    # Takes LangChain and the prices along, which local candidates do not need.
    from finetune.recipes.hosted import HostedCandidate  # noqa: PLC0415

    hosted = HostedCandidate(task.spec.candidates[index], task.spec, task.shots, context)
    return _Opened(asker=hosted.asker, measured=hosted.measured)


def _open_local(context: Context, task: Task, index: int, outcome: Path) -> _Opened:
    candidate, spec = task.spec.candidates[index], task.spec
    device = prepare_libraries(context)
    started_s = time.perf_counter()
    location = resolve(candidate.model)
    shut_in_for(location)
    architecture = architecture_for(location, context, candidate.adapter)
    model = load_model(
        location,
        context,
        candidate.quantization,
        device,
        adapter=candidate.adapter,
        architecture=architecture,
    )
    tokenizer = load_tokenizer(location, context)
    load_time_s = time.perf_counter() - started_s
    sha256 = weights_sha256(location, context)
    asker = asker_for(model, tokenizer, architecture, spec, task.rows, task.shots)
    too_long = [row.id for row in task.rows if not asker.fits(row)]
    asker.no_room += read_json(outcome).get("no_room", ()) if outcome.is_file() else ()
    meter, energy = MemoryMeter(model, device), EnergyMeter(device)

    def measured() -> dict[str, Any]:
        return {
            "kind": architecture.kind,
            "stored": str(architecture.stored) if architecture.stored else None,
            "peak_memory_gib": meter.peak_gib(),
            "weights_gib": meter.weights_gib,
            "load_time_s": load_time_s,
            "joules_per_row": energy.joules_per_row,
            "rows_too_long": len(too_long),
            "rows_out_of_memory": len(asker.no_room),
            "too_long": too_long,
            "no_room": asker.no_room,
            "revision": revision_of(location, model),
            "weights_sha256": sha256,
            "licence": location.licence,
            "environment": {
                **environment(context, device, seed=spec.seed),
                "dtype": str(model.dtype).removeprefix("torch."),
                "scoring": scoring_rule(architecture, spec.dataset.task),
                "tokens_per_s": "tokens of text and answers computed, without the shared instruction",
                "peak_memory_gib": meter.meaning,
            },
        }

    return _Opened(asker=asker, measured=measured, too_long=too_long, counting=energy.counting)


def _next(pipe: Connection) -> tuple[list[str], int] | None:
    """The next rows, and how many answers lie behind; None when no more are wanted."""
    try:
        asked: tuple[list[str], int] | None = pipe.recv()
    except EOFError:
        return None
    return asked


def failed(reason: Bilingual) -> Mapping[str, Any]:
    """The part of a result's row that says why there are no figures."""
    return {"stopped": "failed", "reason": reason.en, "reason_zh": reason.zh}


def _out_of_memory() -> Bilingual:
    return Bilingual(
        en="The GPU ran out of memory while answering. Try nf4 or shorter texts.",
        zh="回答过程中显存不足。请尝试 nf4 或更短的文本。",
    )


def ended_without_a_word(exit_code: int | None) -> Bilingual:
    """Why a process that said nothing has ended."""
    if exit_code == -signal.SIGKILL:
        return Bilingual(
            en="Its process was killed by the system, most likely because memory ran out. "
            "Try nf4, a smaller model, or a larger machine.",
            zh="其进程被系统终止，很可能是内存不足。请尝试 nf4、更小的模型或更大的机器。",
        )
    return Bilingual(
        en=f"Its process ended unexpectedly (exit code {exit_code}). The job's log has the details.",
        zh=f"其进程意外结束（退出码 {exit_code}）。详情见任务日志。",
    )
