"""Waiting rows -> running recipes: one worker of a home.

Our rows say who is next and who has what (`dispatcher`); each job in hand is a DBOS workflow of this worker, so
that what it had in hand when it was killed is taken up when it starts again. A job counts from the moment
its row is committed, even if the submitter dies in the same moment.

    python -m finetune.worker --home HOME --database-url URL [--name NAME] [--policy JSON] [--until-idle SECONDS]
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event, Lock

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from filelock import FileLock, Timeout
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from finetune.atomic import write_text
from finetune.devices import Device
from finetune.dispatcher import Dispatcher, Replaced
from finetune.executors.base import Recipe
from finetune.executors.choice import Place, choose
from finetune.executors.local import RECIPES, own_environment
from finetune.leases import Leases
from finetune.policy import ORDINARY, Policy
from finetune.providers import provider_keys
from finetune.queue import Queue
from finetune.retention import Cleaner
from finetune.supervisor import Supervisor
from finetune.worker_process import identity_of
from index.bilingual import Bilingual
from index.errors import ShortlistError, Unavailable
from index.store import open_store

logger = logging.getLogger(__name__)

_LOOK_S = 0.1
_ROUND_S = 5.0
"""So often everything is looked at, whether the store seems to have changed or not."""
_SHARED_LOOK_S = 0.5
"""A PostgreSQL store cannot be asked for nothing whether it changed."""
_STORE_AWAY_S = 2.0
_PLACE_AWAY_S = 2.0
_LET_GO_S = 20
"""More than a cancellation under way takes."""
_LOCK_WAIT_S = 1.0
"""Who looks whether there is a worker holds the lock for an instant: do not take that for a worker."""


def run_worker(  # noqa: PLR0913  what `main` reads, and what a test puts in the place of recipes
    *,
    home: Path,
    database_url: str,
    policy: Policy = ORDINARY,
    name: str = "",
    until_idle_s: float | None = None,
    recipes: Mapping[Recipe, Sequence[str]] = RECIPES,
    keys: Mapping[str, str] | None = None,
) -> Bilingual:
    """Serve the jobs of a store until SIGTERM, SIGINT or idleness; return why it ended, in a sentence.

    Runs in the main thread of its process. A job that is running when the worker stops goes on by itself, and
    the next worker takes it up. Several workers may share a store; on one home they need a `name` each. `keys` of
    providers, beside those in this process's own environment, reach only the recipes whose spec names the
    provider.
    """
    home.mkdir(parents=True, exist_ok=True)
    stopping = _stop_on_signals()
    environment = own_environment()
    place = choose(policy, environment, recipes, keys=provider_keys(environment) | dict(keys or {}))
    files = policy.shared or home
    engine = open_store(database_url)
    identity = identity_of(home, database_url, name)
    leases = Leases(engine, _worker_id(identity), home=files)
    threads = {} if place.threads is None else {"threads": place.threads}
    supervisor = Supervisor(
        engine,
        place.executor,
        leases,
        context={"home": str(files), **threads},
        stopping=stopping,
        max_hours=policy.max_hours,
    )
    hands = _Hands(supervisor.run)

    @DBOS.workflow(name="run_job", max_recovery_attempts=None)
    def run_job(job_id: str) -> None:
        hands.run(job_id)

    def begin(job_id: str, turn: int) -> None:
        with SetWorkflowID(f"job-{job_id}-{turn}"):
            DBOS.start_workflow(run_job, job_id)

    queue = Queue(engine)
    dispatcher = Dispatcher(
        queue,
        leases,
        place.executor,
        (),
        policy,
        begin,
        hands.held,
        patience_s=0.0 if database_url.startswith("sqlite") else policy.lease_s,
        look_for_devices=place.devices,
    )
    loop = _Loop(
        engine, dispatcher, Cleaner(engine, files, keep_days=policy.keep_days), stopping, until_idle_s
    )
    while True:
        try:
            with FileLock(identity.with_suffix(".lock")).acquire(timeout=_LOCK_WAIT_S):
                dispatcher.devices = _await_devices(place, queue, leases, stopping, until_idle_s)
                _serve(home, database_url, leases, dispatcher.devices, stopping, loop.run)
        except Timeout:
            return _already_running(home)
        except Replaced:
            return _replaced(home)
        # A job that came while the lock was still held found a worker and started none: look again.
        if stopping.is_set() or not loop.has_work():
            return _ended(queue)


def _await_devices(
    place: Place, queue: Queue, leases: Leases, stopping: Event, until_idle_s: float | None
) -> tuple[Device, ...]:
    """Wait for a place that is away or has no device yet, and tell the people whose jobs wait with us.

    With a job in hand there is no waiting: it may go on without an answer, and devices are looked for later too.
    """
    told: set[str] = set()
    last_work_s = time.monotonic()
    while not stopping.is_set():
        try:
            if devices := place.devices():
                return devices
            why = _no_device()
        except Unavailable as away:
            why = away.message
        unfinished = queue.next_unfinished()
        for job_id in set(unfinished) - told:
            queue.add_note(job_id, why)
            told.add(job_id)
        if leases.mine():
            break
        if unfinished:
            last_work_s = time.monotonic()
        elif until_idle_s is not None and time.monotonic() - last_work_s >= until_idle_s:
            break
        stopping.wait(_PLACE_AWAY_S)
    return ()


class _Hands:
    """Sees that two threads never have one job in hand."""

    def __init__(self, run: Callable[[str], None]) -> None:
        self.held: set[str] = set()
        self._run = run
        self._lock = Lock()

    def run(self, job_id: str) -> None:
        with self._lock:
            if job_id in self.held:
                return
            self.held.add(job_id)
        try:
            self._run(job_id)
        finally:
            self.held.discard(job_id)


class _Loop:
    """Looks again and again, quickly and cheaply: an idle worker costs next to nothing."""

    def __init__(
        self,
        engine: Engine,
        dispatcher: Dispatcher,
        cleaner: Cleaner,
        stopping: Event,
        until_idle_s: float | None,
    ) -> None:
        self._engine = engine
        self._dispatcher = dispatcher
        self._cleaner = cleaner
        self._stopping = stopping
        self._until_idle_s = until_idle_s

    def run(self) -> None:
        """Until told to stop, or idle for long enough."""
        last_work_s, has_work, has_swept = time.monotonic(), True, False
        with closing(_Changes(self._engine)) as changes:
            while not self._stopping.is_set():
                try:
                    self._dispatcher.beat()
                    if not has_swept:
                        self._dispatcher.sweep()
                        has_swept = True
                    if changes.seen():
                        has_work = self._dispatcher.look()
                    self._cleaner.clean_sometimes()
                    if has_work:
                        last_work_s = time.monotonic()
                except Replaced:
                    raise
                except Exception:  # the worker loop: whatever it is, jobs go on
                    logger.warning("look failed", exc_info=True)
                    self._stopping.wait(_STORE_AWAY_S)
                idle_s = time.monotonic() - last_work_s
                if self._until_idle_s is not None and idle_s >= self._until_idle_s and not self.has_work():
                    return
                self._stopping.wait(changes.pause_s)

    def has_work(self) -> bool:
        """True while there is a job that this worker can do something for."""
        leases = self._dispatcher.leases
        return bool(leases.waiting() or leases.mine())


class _Changes:
    """Tells whether the store may have changed since the last look."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.raw_connection() if engine.dialect.name == "sqlite" else None
        self._version: int | None = None
        self._looked_at_s = -_ROUND_S
        self.pause_s = _LOOK_S if self._connection else _SHARED_LOOK_S

    def seen(self) -> bool:
        version = self._data_version()
        now_s = time.monotonic()
        is_due = version is None or now_s - self._looked_at_s >= _ROUND_S
        if is_due or version != self._version:
            self._version, self._looked_at_s = version, now_s
            return True
        return False

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _data_version(self) -> int | None:
        """SQLite counts what other connections commit; asking reads one page that is in memory."""
        if self._connection is None:
            return None
        cursor = self._connection.cursor()
        try:
            cursor.execute("PRAGMA data_version")
            [version] = cursor.fetchone() or (None,)
        finally:
            cursor.close()
        return version


def main(arguments: Sequence[str] | None = None, recipes: Mapping[Recipe, Sequence[str]] = RECIPES) -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m finetune.worker", description="Run the queued jobs.")
    parser.add_argument("--home", type=Path, required=True, help="folder of jobs, data sets and logs")
    parser.add_argument(
        "--database-url", required=True, help="the store; '-' reads it, and keys, from standard input"
    )
    parser.add_argument("--name", default="", help="tells several workers of one home apart")
    parser.add_argument("--policy", type=Policy.model_validate_json, default=ORDINARY, help="rules, as JSON")
    parser.add_argument("--until-idle", type=float, metavar="SECONDS", help="end after so long without work")
    given = parser.parse_args(arguments)
    url, keys = _from_stdin() if given.database_url == "-" else (given.database_url, {})
    _log_to_stderr()
    try:
        said = run_worker(
            home=given.home.absolute(),
            database_url=url,
            policy=given.policy,
            name=given.name,
            until_idle_s=given.until_idle,
            recipes=recipes,
            keys=keys,
        )
    except ShortlistError as error:
        logger.error(error.message.en)
        return 2
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


def _serve(
    home: Path,
    database_url: str,
    leases: Leases,
    devices: Sequence[Device],
    stopping: Event,
    work: Callable[[], None],
) -> None:
    """Run DBOS around the work, and return only when no job is in hand any more.

    The version is fixed, or every change of our code would strand the jobs begun before it. The executor id is
    this worker's own: what it had in hand is recovered, what other workers have is not.
    """
    is_sqlite = database_url.startswith("sqlite")
    config: DBOSConfig = {
        "name": "shortlist",
        "system_database_url": f"sqlite:///{home / 'queue.db'}" if is_sqlite else database_url,
        "application_version": "1",
        "executor_id": leases.worker,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "WARNING",
    }
    leases.enrol(devices)
    DBOS(config=config)
    DBOS.launch()
    try:
        work()
    except BaseException:
        stopping.set()
        raise
    finally:
        DBOS.destroy(workflow_completion_timeout_sec=_LET_GO_S if stopping.is_set() else 0)
        _sign_off(leases)


def _sign_off(leases: Leases) -> None:
    try:
        leases.sign_off()
    except OperationalError:
        logger.warning("store does not answer: not signed off", exc_info=True)


def _stop_on_signals() -> Event:
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def _worker_id(identity: Path) -> str:
    path = identity.with_suffix(".id")
    if not path.exists() or not path.read_text(encoding="ascii"):
        write_text(path, uuid.uuid4().hex)
    return path.read_text(encoding="ascii")


def _already_running(home: Path) -> Bilingual:
    return Bilingual(
        en=f"A worker already serves {home}; this one is not needed.",
        zh=f"已有一个 worker 在处理 {home} 的任务，无需再启动。",
    )


def _replaced(home: Path) -> Bilingual:
    return Bilingual(
        en=f"Another worker uses the identity of this one, as after a copy of {home}: this one ended. "
        "Delete worker.id in one of the two homes and start again.",
        zh=f"另一个 worker 使用了同一身份（例如复制了 {home}），本 worker 已退出。"
        "请删除其中一个目录里的 worker.id 后重新启动。",
    )


def _no_device() -> Bilingual:
    return Bilingual(
        en="The cluster answers and has no GPU. The job waits until a node with one joins; "
        "SHORTLIST_DEVICES=cpu uses its processors instead.",
        zh="集群有响应，但没有 GPU。任务会等待有 GPU 的节点加入；设置 SHORTLIST_DEVICES=cpu 可改用其处理器。",
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
