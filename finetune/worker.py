"""Queued rows -> running recipes: the worker process of one home.

DBOS carries the queue: one job at a time on the device, in order, and what a killed worker had in hand goes
to its successor. The worker tells DBOS of every unfinished row, so a job counts from the moment its row
is committed, even if the submitter dies in the same moment; DBOS refuses what it was told already.

    python -m finetune.worker --home HOME --database-url URL [--until-idle SECONDS]
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from filelock import FileLock, Timeout
from sqlalchemy.exc import OperationalError

from finetune.executors.base import Recipe
from finetune.executors.local import RECIPES, LocalExecutor, own_environment
from finetune.providers import provider_keys
from finetune.queue import Queue
from finetune.supervisor import Supervisor
from index.bilingual import Bilingual
from index.store import open_store

logger = logging.getLogger(__name__)

_DEVICES = "accelerator"
_LOOK_S = 0.3
_STORE_AWAY_S = 2.0
_LET_GO_S = 20
"""More than a cancellation under way takes."""
_LOCK_WAIT_S = 1.0
"""Who looks whether there is a worker holds the lock for an instant: do not take that for a worker."""


def run_worker(
    *,
    home: Path,
    database_url: str,
    until_idle_s: float | None = None,
    recipes: Mapping[Recipe, Sequence[str]] = RECIPES,
    keys: Mapping[str, str] | None = None,
) -> Bilingual:
    """Serve the jobs of a home until SIGTERM, SIGINT or idleness; return why it ended, in a sentence.

    Runs in the main thread of its process. A job that is running when the worker stops goes on by itself, and
    the next worker takes it up. `keys` of providers, beside those in this process's own environment, reach only
    the recipes whose spec names the provider.
    """
    home.mkdir(parents=True, exist_ok=True)
    stopping = _stop_on_signals()
    engine = open_store(database_url)
    environment = own_environment()
    executor = LocalExecutor(
        environment=environment, keys=provider_keys(environment) | dict(keys or {}), recipes=recipes
    )
    context = {"home": str(home), "threads": _threads()}
    supervisor = Supervisor(engine, executor, home=home, context=context, stopping=stopping)

    @DBOS.workflow(name="run_job", max_recovery_attempts=None)
    def run_job(job_id: str) -> None:
        supervisor.run(job_id)

    queue = Queue(engine)
    while True:
        try:
            with FileLock(home / "worker.lock").acquire(timeout=_LOCK_WAIT_S):
                _serve(home, database_url, stopping, lambda: _feed(queue, run_job, stopping, until_idle_s))
        except Timeout:
            return _already_running(home)
        # A job that came while the lock was still held found a worker and started none: look again.
        if stopping.is_set() or not queue.next_unfinished(limit=1):
            return _ended(queue)


def main(arguments: Sequence[str] | None = None, recipes: Mapping[Recipe, Sequence[str]] = RECIPES) -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m finetune.worker", description="Run the queued jobs.")
    parser.add_argument("--home", type=Path, required=True, help="folder of jobs, data sets and logs")
    parser.add_argument(
        "--database-url", required=True, help="the store; '-' reads it, and keys, from standard input"
    )
    parser.add_argument("--until-idle", type=float, metavar="SECONDS", help="end after so long without work")
    given = parser.parse_args(arguments)
    url, keys = _from_stdin() if given.database_url == "-" else (given.database_url, {})
    _log_to_stderr()
    said = run_worker(
        home=given.home.absolute(),
        database_url=url,
        until_idle_s=given.until_idle,
        recipes=recipes,
        keys=keys,
    )
    logger.info(said.en)
    return 0


def _from_stdin() -> tuple[str, dict[str, str]]:
    """The store's URL on the first line, and on a second, if there is one, keys of providers as JSON."""
    url, keys = sys.stdin.readline().strip(), sys.stdin.readline()
    return url, {str(name): str(value) for name, value in json.loads(keys or "{}").items()}


class _WithFields(logging.Formatter):
    """Adds the fields of a record, which the standard formatter drops: `job started job_id=7 pid=4711`."""

    _KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the fields after the message."""
        fields = [f"{name}={value}" for name, value in vars(record).items() if name not in self._KNOWN]
        record = logging.makeLogRecord(
            vars(record) | {"msg": " ".join([record.getMessage(), *fields]), "args": ()}
        )
        return super().format(record)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_WithFields("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _serve(home: Path, database_url: str, stopping: Event, feed: Callable[[], None]) -> None:
    """Run DBOS around the feeding, and return only when no job is in hand any more.

    The version is fixed, or every change of our code would strand the jobs queued before it. The executor id
    belongs to the home: what its last worker had in hand is recovered, what other workers have is not.
    """
    is_sqlite = database_url.startswith("sqlite")
    config: DBOSConfig = {
        "name": "shortlist",
        "system_database_url": f"sqlite:///{home / 'queue.db'}" if is_sqlite else database_url,
        "application_version": "1",
        "executor_id": _worker_id(home),
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "WARNING",
    }
    DBOS(config=config)
    DBOS.launch()
    try:
        DBOS.register_queue(_DEVICES, worker_concurrency=1, polling_interval_sec=_LOOK_S)
        feed()
    except BaseException:
        stopping.set()
        raise
    finally:
        DBOS.destroy(workflow_completion_timeout_sec=_LET_GO_S if stopping.is_set() else 0)


def _feed(queue: Queue, run_job: Callable[[str], None], stopping: Event, until_idle_s: float | None) -> None:
    """Tell DBOS of unfinished jobs, until told to stop or idle for long enough."""
    fed: set[str] = set()
    last_work_s = time.monotonic()
    while not stopping.is_set():
        try:
            unfinished = queue.next_unfinished()
        except OperationalError:
            logger.warning("store does not answer", exc_info=True)
            stopping.wait(_STORE_AWAY_S)
            continue
        for job_id in unfinished:
            if job_id not in fed:
                with SetWorkflowID(f"job-{job_id}"):
                    DBOS.enqueue_workflow(_DEVICES, run_job, job_id)
                fed.add(job_id)
        if unfinished:
            last_work_s = time.monotonic()
        elif until_idle_s is not None and time.monotonic() - last_work_s >= until_idle_s:
            return
        stopping.wait(_LOOK_S)


def _stop_on_signals() -> Event:
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def _worker_id(home: Path) -> str:
    """A name that stays with the home, unlike the name of a laptop's host."""
    path = home / "worker.id"
    if not path.exists():
        path.write_text(uuid.uuid4().hex, encoding="ascii")
    return path.read_text(encoding="ascii")


def _threads() -> int:
    """Processor cores that a recipe may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _already_running(home: Path) -> Bilingual:
    return Bilingual(
        en=f"A worker already serves {home}; this one is not needed.",
        zh=f"已有一个 worker 在处理 {home} 的任务，无需再启动。",
    )


def _ended(queue: Queue) -> Bilingual:
    left = len(queue.next_unfinished())
    if not left:
        return Bilingual(en="The worker ended: all jobs are done.", zh="worker 已结束：所有任务均已完成。")
    return Bilingual(
        en=f"The worker stopped; {left} unfinished. What runs goes on, and the next worker takes it up.",
        zh=f"worker 已停止，还有 {left} 个任务未完成。正在运行的任务会继续，由下一个 worker 接手。",
    )


if __name__ == "__main__":
    sys.exit(main())
