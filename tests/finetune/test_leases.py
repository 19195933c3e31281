"""Two workers at one store: who gets what, who is dead, and what a dead one may still do."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from finetune.devices import Device
from finetune.dispatcher import Dispatcher, Replaced
from finetune.executors.base import Ended, Handle, Recipe
from finetune.fair import Grant, Waiting
from finetune.leases import Leases, Watch
from finetune.policy import Policy
from finetune.queue import NotOurs, Queue
from finetune.spec import Candidate, DatasetRef, EvaluationSpec
from finetune.state import Terms
from index.schema import workers
from index.store import open_store, sqlite_url

GPUS = tuple(
    Device(key=f"host/gpu{n}", name=f"gpu{n}", kind="gpu", memory_gib=24, visible=str(n)) for n in range(2)
)


class NoRuns:
    """An executor on which nothing runs."""

    def start(self, job_dir: Path, recipe: Recipe) -> Handle:
        raise AssertionError(job_dir, recipe)

    def adopt(self, *_: object) -> Handle | None:
        return None

    def poll(self, handle: Handle) -> Ended | None:
        raise AssertionError(handle)

    def cancel(self, handle: Handle) -> None:
        raise AssertionError(handle)

    def strays(self, *_: object) -> list[Path]:
        return []


class Worker:
    """A dispatcher with a clock of its own, and what it began."""

    def __init__(
        self,
        engine: Engine,
        name: str,
        devices: Sequence[Device] = GPUS,
        *,
        patience_s: float = 0.0,
        **policy: Any,
    ) -> None:
        self.now_s = 0.0
        self.begun: list[str] = []
        self.leases = Leases(engine, name, home=Path("/home"))
        self.leases.enrol(devices)
        self.queue = Queue(engine, worker=name)
        self.in_hand: set[str] = set()
        self.dispatcher = Dispatcher(
            Queue(engine), self.leases, NoRuns(), devices, Policy(lease_s=10, **policy), self._begin, self.in_hand,
            patience_s=patience_s, clock=lambda: self.now_s,
        )  # fmt: skip

    def _begin(self, job_id: str, turn: int) -> None:
        assert turn > 0
        self.begun.append(job_id)
        self.in_hand.add(job_id)

    def look(self) -> list[str]:
        self.begun.clear()
        self.dispatcher.look()
        return list(self.begun)

    def beat(self, after_s: float = 0.0) -> None:
        self.now_s += after_s
        self.dispatcher.beat()

    def end(self, job_id: str) -> None:
        for source, to in (("queued", "starting"), ("starting", "running"), ("running", "succeeded")):
            assert self.queue.move(job_id, source, to)  # type: ignore[arg-type]
        self.in_hand.discard(job_id)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_store(sqlite_url(tmp_path))


def submit(engine: Engine, key: str, owner: str = "ana", **terms: Any) -> str:
    spec = EvaluationSpec(
        candidates=(Candidate(model="m"),), dataset=DatasetRef(name="d", sha256="0" * 64, rows=3)
    )
    return (
        Queue(engine).insert_or_get(spec, dedupe_key=key, owner=owner, thread=None, terms=Terms(**terms)).id
    )


def move_far_away(engine: Engine, name: str) -> None:
    """As if that worker were on another machine."""
    with engine.begin() as connection:
        connection.execute(
            update(workers).where(workers.c.id == name).values(space="elsewhere", host="elsewhere")
        )


def test_a_worker_takes_one_job_for_each_of_its_devices_and_the_next_when_one_is_free(engine: Engine) -> None:
    worker = Worker(engine, "w")
    for key in "abc":
        submit(engine, key)

    assert worker.look() == ["1", "2"]
    assert worker.look() == []
    assert worker.leases.visible_to("1") == "0"
    worker.end("1")
    assert worker.look() == ["3"]
    assert worker.leases.visible_to("3") == "0"


def test_two_workers_never_lease_one_device(engine: Engine) -> None:
    first, second = Worker(engine, "w1"), Worker(engine, "w2")
    for number in range(6):
        submit(engine, str(number))
    with ThreadPoolExecutor(2) as pool:
        begun = list(pool.map(lambda worker: worker.look(), (first, second)))

    assert len(begun[0] + begun[1]) == 2
    assert {worker.leases.visible_to(job) for worker in (first, second) for job in worker.in_hand} == {
        "0",
        "1",
    }


def test_one_job_is_granted_once(engine: Engine) -> None:
    first, second = Worker(engine, "w1"), Worker(engine, "w2")
    submit(engine, "a")
    job = Waiting(job_id=1, owner="ana", state="queued")

    told = [
        first.leases.grant(Grant(job, GPUS[:1]), most_running=None),
        second.leases.grant(Grant(job, GPUS[1:]), most_running=None),
    ]

    assert told == [True, False]
    assert second.leases.free(GPUS) == [GPUS[1]]


def test_a_job_that_needs_two_devices_gets_both_or_none(engine: Engine) -> None:
    worker = Worker(engine, "w")
    submit(engine, "a")
    submit(engine, "b", "bo", gpus=2)
    submit(engine, "c", "chen")

    assert worker.look() == ["1"]
    worker.end("1")
    assert worker.look() == ["2"]
    assert worker.leases.visible_to("2") == "0,1"


def test_a_job_that_no_worker_has_the_devices_for_is_refused_in_words(engine: Engine) -> None:
    worker = Worker(engine, "w")
    many, large = submit(engine, "a", gpus=3), submit(engine, "b", memory_gib=60.0)

    assert worker.look() == []
    assert "asks for 3 devices and the largest machine has 2" in str(Queue(engine).job(many).reason)
    assert "needs about 60.0 GiB" in str(Queue(engine).job(large).reason)
    assert "最大的设备只有 24.0 GiB" in Queue(engine).job(large).reason.zh  # type: ignore[union-attr]


def test_a_job_is_not_refused_while_other_workers_may_still_be_starting(engine: Engine) -> None:
    worker = Worker(engine, "w", patience_s=60)
    submit(engine, "a", gpus=3)

    worker.look()
    assert Queue(engine).job("1").state == "queued"
    worker.now_s = 61
    worker.look()
    assert Queue(engine).job("1").state == "failed"


def test_a_large_job_waits_for_the_worker_that_has_the_device(engine: Engine) -> None:
    small = Worker(engine, "small")
    large = Worker(
        engine, "large", [Device(key="x/gpu0", name="gpu0", kind="gpu", memory_gib=80, visible="0")]
    )
    submit(engine, "a", memory_gib=60.0)

    assert small.look() == []
    assert large.look() == ["1"]


def test_a_person_has_no_more_running_than_is_allowed(engine: Engine) -> None:
    worker = Worker(engine, "w", running_per_person=1)
    submit(engine, "a"), submit(engine, "b")

    assert worker.look() == ["1"]
    submit(engine, "c", "bo")
    assert worker.look() == ["3"]


def test_a_worker_that_shows_no_life_loses_its_jobs_and_devices(engine: Engine) -> None:
    dead, heir = Worker(engine, "dead"), Worker(engine, "heir")
    submit(engine, "a")
    assert dead.look() == ["1"]
    move_far_away(engine, "dead")

    heir.beat()
    heir.beat(after_s=9.9)
    assert heir.look() == []
    heir.beat(after_s=9.9)

    assert heir.look() == ["1"]
    assert Queue(engine).job("1").worker == "heir"


def test_a_worker_that_lives_keeps_its_jobs_whatever_its_clock_says(engine: Engine) -> None:
    alive, other = Worker(engine, "alive"), Worker(engine, "other")
    submit(engine, "a")
    alive.look()
    move_far_away(engine, "alive")
    for _ in range(5):
        alive.beat(after_s=5)
        with engine.begin() as connection:
            connection.execute(update(workers).values(seen_at_utc="1999-01-01T00:00:00.000+00:00"))
        other.beat(after_s=9)

    assert Queue(engine).job("1").worker == "alive"


def test_a_worker_whose_process_is_gone_is_not_waited_for(engine: Engine) -> None:
    dead, heir = Worker(engine, "dead"), Worker(engine, "heir")
    submit(engine, "a")
    dead.look()
    with engine.begin() as connection:
        connection.execute(update(workers).where(workers.c.id == "dead").values(pid=2**22 + 1))

    heir.beat()

    assert heir.look() == ["1"]
    assert heir.leases.visible_to("1") == "0", (
        "near by it comes with its device, where its process may still run"
    )


def test_who_was_taken_for_dead_can_change_nothing_any_more(engine: Engine) -> None:
    frozen, heir = Worker(engine, "frozen"), Worker(engine, "heir")
    submit(engine, "a")
    frozen.look()
    job = frozen.queue.job("1")
    assert frozen.queue.claim(job)
    move_far_away(engine, "frozen")
    heir.beat()
    heir.beat(after_s=10)
    heir.look()

    assert not frozen.queue.move("1", "starting", "running")
    assert not frozen.queue.claim(frozen.queue.job("1"))
    frozen.queue.append_events("1", [("note", {"en": "late", "zh": "晚"})], read_from=0, read_to=10)
    with pytest.raises(NotOurs):
        frozen.queue.standing("1")
    assert heir.queue.standing("1") == ("starting", 0)
    assert [event.kind for event in heir.queue.events_after(0, job_id="1", limit=9)] == ["state", "state"]


def test_who_was_taken_for_dead_finds_out_and_ends(engine: Engine) -> None:
    frozen, heir = Worker(engine, "frozen"), Worker(engine, "heir")
    move_far_away(engine, "frozen")
    heir.beat()
    heir.beat(after_s=10)

    with pytest.raises(Replaced):
        frozen.beat()


def test_of_two_who_find_one_dead_one_inherits(engine: Engine) -> None:
    dead = Worker(engine, "dead")
    submit(engine, "a")
    dead.look()
    heirs = [Worker(engine, "h1"), Worker(engine, "h2")]
    [pulse] = [pulse for pulse in heirs[0].leases.others() if pulse.worker == "dead"]

    assert sorted(map(len, (heir.leases.bury(pulse) for heir in heirs))) == [0, 1]


def test_a_worker_that_moved_in_the_last_moment_is_not_buried(engine: Engine) -> None:
    alive, other = Worker(engine, "alive"), Worker(engine, "other")
    submit(engine, "a")
    alive.look()
    [pulse] = other.leases.others()
    alive.beat()

    assert other.leases.bury(pulse) == []
    assert Queue(engine).job("1").worker == "alive"


def test_a_grant_that_came_to_nothing_is_given_anew(engine: Engine) -> None:
    worker = Worker(engine, "w")
    submit(engine, "a")
    worker.look()
    worker.in_hand.clear()  # its thread ended without an end of the job
    [(_, turn)] = worker.leases.mine()

    assert worker.look() == []
    worker.now_s += 6
    worker.look()

    assert worker.look() == ["1"]
    assert worker.leases.mine()[0][1] > turn


def test_a_pulse_is_judged_by_ones_own_clock_and_a_restart_counts_as_life(engine: Engine) -> None:
    Worker(engine, "other")
    move_far_away(engine, "other")
    watch = Watch(lease_s=10)
    me = Leases(engine, "me", home=Path("/home"))

    assert watch.dead(me.others(), now_s=0) == []
    Worker(engine, "other")
    move_far_away(engine, "other")
    assert watch.dead(me.others(), now_s=11) == []
    assert len(watch.dead(me.others(), now_s=21)) == 1
