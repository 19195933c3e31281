"""Whatever people and workers do in whatever order: histories stay legal, devices single, attempts counted."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from finetune.jobs import Jobs
from finetune.queue import Queue
from finetune.state import TERMINAL, TRANSITIONS, Job
from index.errors import BadInput
from index.schema import jobs as jobs_table
from index.schema import leases, workers
from index.store import open_store, sqlite_url
from tests.finetune.test_leases import Worker, submit

ACTS = ("submit", "cancel", "look", "advance", "crash", "die", "prioritise")
Acts = list[tuple[str, int]]


class Play:
    """Two workers that share two GPUs, and people who ask for things."""

    def __init__(self, home: Path) -> None:
        self.engine: Engine = open_store(sqlite_url(home))
        self.queue = Queue(self.engine)
        self.jobs = Jobs(self.engine, home=home, database_url=sqlite_url(home), worker_command=None)
        self.workers = [Worker(self.engine, "w0"), Worker(self.engine, "w1")]
        self.n_submitted = 0

    def act(self, name: str, number: int) -> None:
        getattr(self, name)(number)

    def submit(self, number: int) -> None:
        self.n_submitted += 1
        submit(self.engine, str(self.n_submitted), owner="abc"[number % 3], gpus=1 + number % 2)

    def cancel(self, number: int) -> None:
        if job := self._one(number):
            try:
                self.jobs.cancel(job.id)
            except BadInput:
                assert job.is_finished

    def prioritise(self, number: int) -> None:
        if job := self._one(number):
            self.queue.prioritise(job.id, number % 3 - 1)

    def look(self, number: int) -> None:
        self.workers[number % 2].look()

    def advance(self, number: int) -> None:
        """A worker does the next thing with a job that it believes to have, as it knows it."""
        worker = self.workers[number % 2]
        for job_id in sorted(worker.in_hand)[:1]:
            job = self.queue.job(job_id)
            if job.is_finished:
                worker.in_hand.discard(job_id)
            elif job.state == "queued":
                worker.queue.claim(job)
            else:
                to = {"starting": "running", "running": "succeeded", "cancelling": "cancelled"}[job.state]
                worker.queue.move(job_id, job.state, to)  # type: ignore[arg-type]

    def crash(self, number: int) -> None:
        """A recipe was killed: another attempt."""
        for job_id in sorted(self.workers[number % 2].in_hand)[:1]:
            job = self.queue.job(job_id)
            if job.state == "running":
                self.workers[number % 2].queue.claim(job)

    def die(self, number: int) -> None:
        """A worker is killed, seen by the other, and another one starts; what it believed is gone."""
        dead, other = self.workers[number % 2], self.workers[1 - number % 2]
        with self.engine.begin() as connection:
            connection.execute(
                update(workers).where(workers.c.id == dead.leases.worker).values(pid=2**22 + 1)
            )
        other.beat(after_s=2)
        self.workers[number % 2] = Worker(self.engine, f"{dead.leases.worker}{number}")

    def _one(self, number: int) -> Job | None:
        found = self.jobs.list(limit=100)
        return found[number % len(found)] if found else None

    def check(self) -> None:
        with self.engine.connect() as connection:
            leased = connection.execute(select(leases.c.device, leases.c.job_id, leases.c.worker)).all()
            rows = {row.id: row for row in connection.execute(select(jobs_table))}
        assert all(rows[lease.job_id].worker == lease.worker for lease in leased)
        assert all(rows[lease.job_id].state not in TERMINAL for lease in leased)
        held = Counter(lease.job_id for lease in leased)
        for number, row in rows.items():
            states = [
                event.data["state"] for event in self.queue.events_after(0, job_id=str(number), limit=500)
            ]
            assert states[0] == "queued"
            assert states[-1] == row.state
            assert all(to in TRANSITIONS[source] for source, to in itertools.pairwise(states))
            assert row.attempts == states.count("starting")
            if row.state in {"starting", "running"}:
                assert held[number] == row.gpus
        assert len(rows) == self.n_submitted


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 11)), min_size=10, max_size=40))
def test_nothing_that_people_and_workers_do_breaks_the_books(acts: Acts) -> None:
    with tempfile.TemporaryDirectory() as folder:
        play = Play(Path(folder))
        for act in acts:
            play.act(*act)
        play.check()
        play.engine.dispose()
