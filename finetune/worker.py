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
from pathlib import Path
from threading import Event

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from filelock import FileLock, Timeout
from sqlalchemy.exc import OperationalError

from finetune.atomic import write_text
from finetune.devices import Device
from finetune.dispatcher import Dispatcher, Replaced
from finetune.executors.base import Recipe
from finetune.executors.choice import Place, choose
from finetune.executors.local import RECIPES, own_environment
from finetune.gate import GateOf
from finetune.jobs import Jobs
from finetune.leases import Leases
from finetune.policy import ORDINARY, Policy
from finetune.providers import provider_keys
from finetune.queue import Queue
from finetune.restrictions import OFFLINE
from finetune.retention import Cleaner
from finetune.selections import Selections
from finetune.supervisor import Supervisor
from finetune.worker_loop import Hands, Loop
from finetune.worker_process import identity_of
from finetune.worker_words import already_running, ended, no_device, replaced
from index import logs
from index.bilingual import Bilingual
from index.errors import ShortlistError, Unavailable
from index.store import open_store

logger = logging.getLogger(__name__)

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
    gate_of: GateOf | None = None,
) -> Bilingual:
    """Serve the jobs of a store until SIGTERM, SIGINT or idleness; return why it ended, in a sentence.

    Runs in the main thread of its process. A job that is running when the worker stops goes on by itself, and
    the next worker takes it up. Several workers may share a store; on one home they need a `name` each. `keys` of
    providers, beside those in this process's own environment, reach only the recipes whose spec names the
    provider. `gate_of`: what is asked before the worker itself queues the next round of a race.
    """
    home.mkdir(parents=True, exist_ok=True)
    stopping = _stop_on_signals()
    environment = own_environment()
    known = provider_keys(environment) | dict(keys or {})
    if policy.egress == "none":  # a job may have been queued before it was forbidden
        environment, known = environment | OFFLINE, {}
    place = choose(
        policy, environment, recipes, keys=known, others_take_over=not database_url.startswith("sqlite")
    )
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
    hands = Hands(supervisor.run)

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
    jobs = Jobs(engine, home=home, database_url=database_url, worker_command=None, policy=policy)
    if gate_of is not None:
        jobs.gate = gate_of(engine, jobs)
    loop = Loop(
        engine,
        dispatcher,
        Cleaner(engine, files, keep_days=policy.keep_days),
        Selections(engine, jobs),
        stopping,
        until_idle_s,
    )
    while True:
        try:
            with FileLock(identity.with_suffix(".lock")).acquire(timeout=_LOCK_WAIT_S):
                dispatcher.devices = _await_devices(place, queue, leases, stopping, until_idle_s)
                _serve(home, database_url, leases, dispatcher.devices, stopping, loop.run)
        except Timeout:
            return already_running(home)
        except Replaced:
            return replaced(home)
        # A job that came while the lock was still held found a worker and started none: look again.
        if stopping.is_set() or not loop.has_work():
            return ended(len(queue.next_unfinished()))


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
            why = no_device()
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


def main(
    arguments: Sequence[str] | None = None,
    recipes: Mapping[Recipe, Sequence[str]] = RECIPES,
    gate_of: GateOf | None = None,
) -> int:
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
    logs.configure("INFO", given.policy.log_format)
    try:
        said = run_worker(
            home=given.home.absolute(),
            database_url=url,
            policy=given.policy,
            name=given.name,
            until_idle_s=given.until_idle,
            recipes=recipes,
            keys=keys,
            gate_of=gate_of,
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


if __name__ == "__main__":
    sys.exit(main())
