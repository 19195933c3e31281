"""One queue in PostgreSQL, several workers: a packaged server, real worker processes, the tiny recipe."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from alembic.migration import MigrationContext
from sqlalchemy import Engine, func, inspect, select

from finetune.queue import Queue
from finetune.spec import Candidate, DatasetRef, EvaluationSpec
from index.schema import jobs as jobs_table
from index.schema import leases, measurements, metadata
from index.store import open_store
from tests.finetune.team import Team
from tests.postgres_server import postgres


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres() as made:
        yield made


@pytest.fixture(scope="module")
def engine(url: str) -> Iterator[Engine]:
    """Opened by several at once, as bots and workers start together on a fresh database."""
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(open_store, [url] * 4)
    for other in others:
        other.dispose()
    yield first
    first.dispose()


@pytest.fixture
def team(engine: Engine, url: str, tmp_path: Path) -> Iterator[Team]:
    made = Team(engine, url, tmp_path)
    yield made
    made.dismiss()


def test_a_fresh_database_has_the_newest_schema_however_many_open_it(engine: Engine) -> None:
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() is not None
    found = inspect(engine)
    for table in metadata.sorted_tables:
        assert {column["name"] for column in found.get_columns(table.name)} == {c.name for c in table.columns}


def test_one_key_submitted_from_many_threads_is_one_job(team: Team) -> None:
    dataset = DatasetRef(name="behave", sha256="0" * 64, rows=12)
    spec = EvaluationSpec(candidates=(Candidate(model="SmolLM2-135M-Instruct"),), dataset=dataset)
    with ThreadPoolExecutor(8) as pool:
        ids = {
            job.id
            for job in pool.map(
                lambda _: team.jobs.submit(spec, dedupe_key="one key", owner="ana"), range(16)
            )
        }

    [job_id] = ids
    team.jobs.cancel(job_id)
    states = [event.data["state"] for event in team.jobs.events_after(0, job_id)]
    assert states == ["queued", "cancelled"]


def test_two_who_claim_one_attempt_do_not_both_get_it(team: Team) -> None:
    job = team.submit("behave")
    queue = Queue(team.engine)
    with ThreadPoolExecutor(8) as pool:
        claims = Counter(pool.map(lambda _: queue.claim(job), range(8)))

    assert claims == {True: 1, False: 7}
    queue.move(job.id, "starting", "failed")


def test_two_workers_share_the_jobs_and_none_is_lost_or_doubled(team: Team) -> None:
    submitted = [team.submit("behave") for _ in range(12)]
    team.hire("first", "gpu0:24"), team.hire("second", "gpu1:24")

    ended = [team.finish(job) for job in submitted]

    assert [(job.state, job.attempts) for job in ended] == [("succeeded", 1)] * 12
    published = select(measurements.c.job_id, func.count().label("published")).group_by(measurements.c.job_id)
    hands = select(jobs_table.c.worker).where(jobs_table.c.id.in_([int(job.id) for job in submitted]))
    with team.engine.connect() as connection:
        counts = {row.job_id: row.published for row in connection.execute(published)}
        workers = set(connection.execute(hands).scalars())
        assert list(connection.execute(select(leases.c.device))) == []
    assert [counts[job.id] for job in ended] == [1] * 12
    assert len(workers) == 2
    for job in ended:
        stages = [e.data["stage"] for e in team.jobs.events_after(0, job.id) if e.kind == "progress"]
        assert stages == ["reading", "scoring", "writing"]


def test_a_killed_workers_job_is_taken_over_by_another_while_it_runs(team: Team) -> None:
    killed = team.hire("first")
    job = team.submit("work_until_the_gate_opens")
    begun = team.await_stage(job, "begun")
    team.hire("second")
    killed.kill()
    killed.wait()
    (team.jobs.folder(job.id) / "gate").touch()

    job = team.finish(job)

    assert (job.state, job.attempts) == ("succeeded", 1)
    stages = [e.data["stage"] for e in team.jobs.events_after(0, job.id) if e.kind == "progress"]
    assert stages.count("begun") == 1
    assert not psutil.pid_exists(begun.data["pid"]) or psutil.Process(begun.data["pid"]).status() == "zombie"


def test_what_a_dead_worker_left_on_its_machine_ends_by_itself_and_the_job_goes_on_elsewhere(
    team: Team,
) -> None:
    killed = team.hire("first", host="one")
    job = team.submit("work_until_the_gate_opens")
    left_behind = psutil.Process(team.await_stage(job, "begun").data["pid"])
    team.hire("second", host="two")
    killed.kill()
    killed.wait()

    while left_behind.is_running() and left_behind.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.1)
    here = team.folder / "second" / "jobs" / job.id
    here.mkdir(parents=True, exist_ok=True)
    (here / "gate").touch()
    job = team.finish(job)

    assert (job.state, job.attempts) == ("succeeded", 2)
    assert "its worker has been gone" in (team.folder / "first" / "jobs" / job.id / "log.txt").read_text()
