"""What people are told of the line: place, expected start, time left, who has what, time spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from finetune.fair import Grant, Waiting
from finetune.jobs import Jobs
from finetune.leases import Leases
from finetune.outlook import pace
from finetune.policy import Policy
from finetune.queue import Queue
from finetune.state import JobEvent, Terms
from index.schema import jobs as jobs_table
from index.store import open_store, sqlite_url
from tests.finetune.test_jobs import bring_to, evaluation
from tests.finetune.test_leases import GPUS


def progress(second: int, done: int, total: int = 100, stage: str = "scoring") -> JobEvent:
    data = {"done": done, "total": total, "stage": stage}
    return JobEvent(
        id=second, job_id="1", kind="progress", data=data, at_utc=f"2026-01-01T00:00:{second:02}+00:00"
    )


def state(second: int, name: str) -> JobEvent:
    at_utc = f"2026-01-01T00:00:{second:02}+00:00"
    return JobEvent(id=second, job_id="1", kind="state", data={"state": name}, at_utc=at_utc)


def test_time_left_follows_the_speed_of_the_stage_at_hand() -> None:
    loading_is_slow = [progress(0, 0, stage="loading"), progress(20, 5, stage="loading")]

    assert pace([*loading_is_slow, progress(21, 10), progress(31, 30)]) == (0.3, 35.0)


def test_a_new_attempt_is_measured_anew() -> None:
    assert pace(
        [progress(0, 0), progress(9, 90), state(10, "starting"), progress(11, 0), progress(12, 10)]
    ) == (
        0.1,
        9.0,
    )


@pytest.mark.parametrize(
    ("events", "frac"),
    [
        ([], None),
        ([progress(1, 0)], 0.0),
        ([progress(1, 0), progress(2, 1)], 0.01),
        ([progress(9, 10), progress(3, 50)], 0.5),
        ([progress(1, 0, total=0)], None),
    ],
)
def test_no_time_is_told_where_nothing_says_it(events: list[JobEvent], frac: float | None) -> None:
    """Not yet begun, just begun, a clock that was set back, nothing to count."""
    assert pace(events) == (frac, None)


class House:
    """Jobs of several people, and one worker with two GPUs."""

    def __init__(self, home: Path, **policy: Any) -> None:
        self.home = home
        self.engine: Engine = open_store(sqlite_url(home))
        self.jobs = Jobs(
            self.engine,
            home=home,
            database_url=sqlite_url(home),
            worker_command=None,
            policy=Policy(**policy),
        )
        self.leases = Leases(self.engine, "w", home=home)

    def submit(self, owner: str) -> str:
        return self.jobs.submit(
            evaluation(), dedupe_key=f"{owner}{len(self.jobs.list(limit=99))}", owner=owner
        ).id

    def start(self, job_id: str, device: int) -> None:
        owner = self.jobs.status(job_id).owner
        job = Waiting(job_id=int(job_id), owner=owner, state="queued")
        assert self.leases.grant(Grant(job, (GPUS[device],)), most_running=None)
        bring_to(self.home, self.jobs.status(job_id), "starting", "running")

    def ran(self, job_id: str, seconds: float) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(jobs_table).where(jobs_table.c.id == int(job_id)).values(ran_s=seconds))

    def places(self) -> dict[str, int | None]:
        return {job_id: outlook.position for job_id, outlook in self.jobs.outlooks(self.jobs.list()).items()}


def test_the_place_in_the_line_counts_turns_and_priorities(tmp_path: Path) -> None:
    house = House(tmp_path)
    for owner in ("ana", "ana", "bo"):
        house.submit(owner)

    assert house.places() == {"1": 1, "2": 3, "3": 2}
    house.start("1", 0)
    assert house.places() == {"1": None, "3": 1, "2": 2}
    house.jobs.prioritise("2", "high")
    assert house.places() == {"1": None, "2": 1, "3": 2}


def test_the_start_is_expected_from_measured_durations(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.leases.enrol(GPUS[:1])
    done, running, next_, last = (house.submit("ana") for _ in range(4))
    assert house.jobs.outlooks([house.jobs.status(last)])[last].starts_in_s is None
    house.start(done, 0)
    house.ran(done, 100.0)
    bring_to(tmp_path, house.jobs.status(done), "succeeded")
    house.start(running, 0)
    house.ran(running, 30.0)

    outlooks = house.jobs.outlooks(house.jobs.list())

    assert outlooks[next_].starts_in_s == 70.0
    assert outlooks[last].starts_in_s == 170.0
    assert done not in outlooks


def test_a_job_that_needs_both_devices_is_expected_when_both_are_free(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.leases.enrol(GPUS)
    done, running = house.submit("ana"), house.submit("ana")
    house.start(done, 0)
    house.ran(done, 100.0)
    bring_to(tmp_path, house.jobs.status(done), "succeeded")
    house.start(running, 0)
    wide = house.jobs.submit(evaluation(), dedupe_key="wide", owner="bo", terms=Terms(gpus=2)).id
    narrow = house.submit("chen")

    outlooks = house.jobs.outlooks(house.jobs.list())

    assert [(outlooks[job].position, outlooks[job].starts_in_s) for job in (wide, narrow)] == [
        (1, 100.0),
        (2, 200.0),
    ]


def test_a_job_whose_worker_died_goes_before_all_that_wait(tmp_path: Path) -> None:
    house = House(tmp_path)
    first, waits = house.submit("ana"), house.submit("bo")
    house.start(first, 0)
    with house.engine.begin() as connection:
        connection.execute(update(jobs_table).where(jobs_table.c.id == int(first)).values(worker=None))

    assert house.places()[waits] == 2


def test_everybody_sees_who_has_which_device_and_what_was_spent(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert house.jobs.devices() == []
    house.leases.enrol(GPUS)
    house.start(house.submit("ana"), 1)
    house.ran("1", 7200.0)

    free, taken = house.jobs.devices()

    assert (free.name, free.job_id) == ("gpu0", None)
    assert (taken.name, taken.job_id, taken.owner) == ("gpu1", "1", "ana")
    assert [(spent.owner, spent.device_hours, spent.jobs) for spent in house.jobs.spent()] == [
        ("ana", 2.0, 1)
    ]


def test_a_device_is_free_the_moment_its_job_has_ended(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.leases.enrol(GPUS)
    house.start(house.submit("ana"), 0)
    bring_to(tmp_path, house.jobs.status("1"), "failed")

    assert [use.job_id for use in house.jobs.devices()] == [None, None]


def test_time_is_added_by_whoever_measures_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.submit("ana")
    queue = Queue(house.engine)

    assert queue.add_run_time("1", 1.5) == 1.5
    assert queue.add_run_time("1", 2.0) == 3.5
