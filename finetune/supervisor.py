"""One job, from wherever it stands to its end: start or adopt its process, follow it, conclude.

Nothing is remembered between two calls but what lies in the store and in the job's folder, so the worker may
be killed at any line of this file: the next worker calls `run` again and arrives at the same end.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from finetune.errors import UnreadableJob
from finetune.executors.base import Ended, Executor, Handle
from finetune.folder import JobFolder, read_event
from finetune.leases import Leases
from finetune.publish import publish, publish_model
from finetune.queue import NotOurs, Queue
from finetune.state import ACTIVE, TERMINAL, Job, JobState
from index.bilingual import Bilingual
from index.caller import working_on
from index.disk import DiskFull, disk_trouble
from index.errors import JobFailed, Unavailable

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
_LOOK_S = 0.25
_STORE_AWAY_S = 2.0
_PLACE_AWAY_S = 2.0
_COUNT_S = 10.0
"""So often running time is written down: more than this is never lost."""
_FULL_BYTES = 2**22


class WorkerStopping(BaseException):
    """Leaves a workflow without an outcome, so that the next worker takes the job up.

    Not an Exception: DBOS would record that as the end of the workflow.
    """


@dataclass(slots=True)
class _Meter:
    """Running time of a job on a steady clock, written down now and then."""

    queue: Queue
    job: Job
    clock: Callable[[], float]
    since_s: float
    counted_s: float

    def ran_s(self) -> float:
        """All attempts together."""
        now_s = self.clock()
        if now_s - self.since_s >= _COUNT_S:
            self.write()
        return self.counted_s + now_s - self.since_s

    def write(self) -> None:
        """Write down what was not counted yet."""
        now_s = self.clock()
        self.counted_s = self.queue.add_run_time(self.job.id, now_s - self.since_s)
        self.since_s = now_s


class Supervisor:
    """Sees the jobs of one worker through. `stopping` makes it let go of a job, whose process lives on."""

    def __init__(
        self,
        engine: Engine,
        executor: Executor,
        leases: Leases,
        *,
        context: Mapping[str, Any],
        stopping: Event,
        max_hours: float | None = None,
    ) -> None:
        self._engine = engine
        self._queue = Queue(engine, worker=leases.worker)
        self._executor = executor
        self._leases = leases
        self._context = context
        self._stopping = stopping
        self._max_hours = max_hours
        self._told_away: dict[str, Bilingual] = {}

    def run(self, job_id: str) -> None:
        """See a job through to its end. A store that does not answer, or a full disk, is waited for: the process
        goes on."""
        reference: str | None = None
        while True:
            try:
                return self._see_through(job_id) if reference is None else self._give_up(job_id, reference)
            except NotOurs as error:
                return self._let_go(job_id, error.worker)
            except UnreadableJob as error:
                return self._condemn(job_id, error)
            except Unavailable as away:
                self._tell_once(job_id, away)
                self._pause(_PLACE_AWAY_S)
            except OperationalError:
                logger.warning("store does not answer", extra={"job_id": job_id}, exc_info=True)
                self._pause(_STORE_AWAY_S)
            except Exception as error:
                trouble = disk_trouble(error)
                if isinstance(trouble, DiskFull):
                    logger.warning("disk is full", extra={"job_id": job_id})
                    self._pause(_STORE_AWAY_S)
                    continue
                if trouble is not None and self._fail_before_start(job_id, trouble):
                    return None
                if reference is not None:
                    raise
                reference = uuid.uuid4().hex[:8]
                logger.exception("watch broken", extra={"job_id": job_id, "reference": reference})

    def _see_through(self, job_id: str) -> None:
        with working_on(self._queue.job(job_id).request_id):
            self._see_to_its_end(job_id)

    def _see_to_its_end(self, job_id: str) -> None:
        while not (job := self._queue.job(job_id)).is_finished:
            self._queue.standing(job_id)  # NotOurs, if it is
            if self._stopping.is_set():
                raise WorkerStopping
            if job.state == "queued":
                self._launch(job)
                continue
            handle = self._executor.adopt(self._folder(job_id).path, self._recorded(job_id))
            ended = self._follow(job, handle) if handle else Ended(code=None)
            self._conclude(job_id, ended)

    def _launch(self, job: Job, note: Bilingual | None = None) -> None:
        """Claim the job for a new attempt and start its process, unless somebody moved it meanwhile."""
        folder = self._folder(job.id)
        leased = {"visible_devices": self._leases.visible_to(job.id), "devices": job.terms.gpus}
        folder.prepare(job.spec, {**self._context, **leased})  # first: a full disk must not cost an attempt
        if not self._queue.claim(job):
            return
        if note is not None:
            self._queue.add_note(job.id, note)
        handle = self._executor.start(folder.path, job.spec.kind, job.spec.key_names)
        self._queue.record_child(job.id, pid=handle.pid, started_s=handle.started_s)
        logger.info("job started", extra={"job_id": job.id, "pid": handle.pid})

    def _follow(self, job: Job, handle: Handle) -> Ended:
        """Pass on what the process reports until it ends; end it when somebody cancels."""
        if job.state == "starting":
            self._queue.move(job.id, "starting", "running")
        meter = _Meter(self._queue, job, time.monotonic, time.monotonic(), job.ran_s)
        max_hours = job.terms.max_hours or self._max_hours
        while (ended := self._executor.poll(handle)) is None:
            state = self._pass_on_events(job.id)
            if state == "cancelling" or state not in ACTIVE:
                self._executor.cancel(handle)
            elif max_hours is not None and meter.ran_s() >= max_hours * 3600:
                self._queue.move(job.id, state, "cancelling", _too_long(job.id, max_hours))
            else:
                meter.ran_s()
                self._pause(_LOOK_S)
        meter.write()
        return ended

    def _conclude(self, job_id: str, ended: Ended) -> None:
        """Decide what the end of a process means for its job."""
        self._pass_on_events(job_id)
        job, folder = self._queue.job(job_id), self._folder(job_id)
        if job.is_finished:
            return
        if folder.has_result:
            self._succeed(job, folder)
        elif job.state == "cancelling":  # with a reason when its time was up
            self._queue.move(job_id, job.state, "failed" if job.reason else "cancelled")
        elif (reason := folder.stated_reason()) is not None:
            self._queue.move(job_id, job.state, "failed", reason)
        elif (ended.was_cut_off or self._disk_is_full(ended, folder)) and job.attempts < MAX_ATTEMPTS:
            self._launch(job, _next_attempt(ended, job.attempts + 1))
        elif self._disk_is_full(ended, folder):
            self._queue.move(job_id, job.state, "failed", DiskFull(repr(str(folder.path))).message)
        else:
            self._queue.move(job_id, job.state, "failed", _reason(job, ended, folder.log_tail(1)))

    def _fail_before_start(self, job_id: str, trouble: JobFailed) -> bool:
        """End a job whose folder cannot even be made; False for one that has begun, which may go on."""
        job = self._queue.job(job_id)
        return job.state == "queued" and self._queue.move(job_id, "queued", "failed", trouble.message)

    def _disk_is_full(self, ended: Ended, folder: JobFolder) -> bool:
        """True when the recipe ended because it could not write: it goes on once it can."""
        if not ended.code or ended.reason:
            return False
        free_bytes = shutil.disk_usage(self._leases.home).free
        return free_bytes < _FULL_BYTES or os.strerror(errno.ENOSPC) in folder.log_tail(20)

    def _succeed(self, job: Job, folder: JobFolder) -> None:
        """Publish first: a worker that dies in between publishes again, which adds nothing."""
        if job.state == "starting":
            self._queue.move(job.id, "starting", "running")
            return
        try:
            result = folder.result()
            published = publish(self._engine, job, result)
            publish_model(folder.path, job, result)
        except JobFailed as error:
            self._queue.move(job.id, job.state, "failed", error.message)
            return
        spent_usd = result.get("spent_usd")
        if isinstance(spent_usd, (int, float)):
            self._queue.record_spent(job.id, float(spent_usd))
        self._queue.move(job.id, job.state, "succeeded")
        logger.info("job succeeded", extra={"job_id": job.id, "published": published})

    def _give_up(self, job_id: str, reference: str) -> None:
        """A bug of ours broke the watch: end the process and say so, without the details."""
        if handle := self._executor.adopt(self._folder(job_id).path, self._recorded(job_id)):
            self._executor.cancel(handle)
        while (state := self._queue.standing(job_id)[0]) not in TERMINAL:
            self._queue.move(job_id, state, "failed", _bug(job_id, reference))

    def _let_go(self, job_id: str, worker: str | None) -> None:
        """The job is another worker's: leave the process to one that can see it, else end it."""
        logger.warning("job went to another worker", extra={"job_id": job_id, "worker": worker})
        if self._leases.is_near(worker):
            return
        if handle := self._executor.adopt(self._folder(job_id).path, self._recorded(job_id)):
            self._executor.cancel(handle)

    def _condemn(self, job_id: str, error: UnreadableJob) -> None:
        """Nothing can be done with such a row but to say so."""
        if handle := self._executor.adopt(self._folder(job_id).path, self._recorded(job_id)):
            self._executor.cancel(handle)
        self._queue.condemn(job_id, error.message)

    def _pass_on_events(self, job_id: str) -> JobState:
        """Store what the recipe has reported since the last look; return the job's state."""
        while True:
            state, offset = self._queue.standing(job_id)
            if not (lines := self._folder(job_id).new_lines(offset)):
                return state
            events = [event for line in lines.splitlines() if (event := read_event(line))]
            self._queue.append_events(job_id, events, read_from=offset, read_to=offset + len(lines))

    def _tell_once(self, job_id: str, away: Unavailable) -> None:
        """Say to the person why nothing happens, unless it was said already."""
        if self._told_away.get(job_id) != away.message:
            logger.warning("place does not answer", extra={"job_id": job_id})
            self._told_away[job_id] = away.message
            self._queue.add_note(job_id, away.message)

    def _recorded(self, job_id: str) -> Handle | None:
        child = self._queue.child(job_id)
        return child and Handle(job_dir=self._folder(job_id).path, pid=child[0], started_s=child[1])

    def _folder(self, job_id: str) -> JobFolder:
        return JobFolder(self._leases.home / "jobs" / job_id)

    def _pause(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise WorkerStopping


def _next_attempt(ended: Ended, attempt: int) -> Bilingual:
    how = _how(ended)
    return Bilingual(
        en=f"Attempt {attempt} of {MAX_ATTEMPTS} begins: {how.en}.",
        zh=f"开始第 {attempt} 次尝试（最多 {MAX_ATTEMPTS} 次）：{how.zh}。",
    )


def _reason(job: Job, ended: Ended, last_line: str) -> Bilingual:
    how, line = _how(ended), last_line.strip()[-300:]
    return Bilingual(
        en=f"Job {job.id} failed at attempt {job.attempts}: {how.en}."
        + (f" Its log ends with: {line}." if line else "")
        + f" See `shortlist jobs logs {job.id}`; `shortlist jobs retry {job.id}` runs it again.",
        zh=f"任务 {job.id} 在第 {job.attempts} 次尝试时失败：{how.zh}。"
        + (f"日志最后一行：{line}。" if line else "")
        + f"查看日志：`shortlist jobs logs {job.id}`；重新运行：`shortlist jobs retry {job.id}`。",
    )


def _too_long(job_id: str, max_hours: float) -> Bilingual:
    return Bilingual(
        en=f"Job {job_id} ran for {max_hours:g} hours, the longest it may, and was ended. What it finished is kept: "
        f"`shortlist jobs retry {job_id} --max-hours N` gives it more time.",
        zh=f"任务 {job_id} 已运行 {max_hours:g} 小时，达到上限而被结束。已完成的部分会保留："
        f"`shortlist jobs retry {job_id} --max-hours N` 可给它更多时间。",
    )


def _how(ended: Ended) -> Bilingual:
    if ended.reason is not None:
        return ended.reason
    if ended.code is None:
        return Bilingual(
            en="the process is gone without a result, as after a restart of the machine",
            zh="进程没有留下结果就消失了（例如机器重启）",
        )
    if ended.code == 0:
        return Bilingual(en="the process ended without writing a result", zh="进程结束了，但没有写出结果")
    if ended.code > 0:
        return Bilingual(en=f"the process ended with code {ended.code}", zh=f"进程以代码 {ended.code} 退出")
    hint = Bilingual(en=", usually because memory ran out", zh="，通常是内存不足")
    said = hint if ended.code == -signal.SIGKILL else Bilingual(en="", zh="")
    return Bilingual(
        en=f"the process ended with signal {-ended.code}{said.en}",
        zh=f"进程因信号 {-ended.code} 而终止{said.zh}",
    )


def _bug(job_id: str, reference: str) -> Bilingual:
    return Bilingual(
        en=f"Sorry, Shortlist itself went wrong while running job {job_id}. "
        f"The reference {reference} finds the details in logs/worker.log.",
        zh=f"抱歉，运行任务 {job_id} 时 Shortlist 自身出了错。"
        f"请在 logs/worker.log 中用编号 {reference} 查找详情。",
    )
