"""What people see while the place where their jobs run does not answer: one note, and no failure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Engine

from finetune.executors.base import Ended, Handle, Recipe
from finetune.executors.choice import NothingShared, Place, choose, require
from finetune.executors.ray_cluster import ClusterAway
from finetune.fair import Grant, Waiting
from finetune.jobs import Jobs
from finetune.leases import Leases
from finetune.policy import Policy
from finetune.queue import Queue
from finetune.spec import Candidate, DatasetRef, EvaluationSpec
from finetune.supervisor import Supervisor
from finetune.worker import _await_devices
from index.store import open_store, sqlite_url

RESULT = {
    "candidates": [
        {
            "model": "tiny",
            "quantization": "none",
            "metrics": {"accuracy": {"value": 0.75, "ci95": [0.5, 0.9], "n": 12}},
        }
    ],
    "environment": {"device": "test bench"},
}


class FlickeringPlace:
    """Answers every third time, and ends the run at the second answer."""

    def __init__(self) -> None:
        self.asked = 0

    def start(self, job_dir: Path, recipe: Recipe, key_names: Sequence[str] = ()) -> Handle:  # noqa: ARG002
        return Handle(job_dir=job_dir, pid=1, started_s=0.0)

    def adopt(self, job_dir: Path, recorded: Handle | None) -> Handle | None:  # noqa: ARG002
        return Handle(job_dir=job_dir, pid=1, started_s=0.0)

    def poll(self, handle: Handle) -> Ended | None:
        self.asked += 1
        if self.asked % 3:
            raise ClusterAway("http://head:8265")
        if self.asked < 6:
            return None
        (handle.job_dir / "result.json").write_text(json.dumps(RESULT))
        return Ended(code=0)

    def cancel(self, handle: Handle) -> None:
        raise AssertionError(handle)

    def strays(self, jobs_dir: Path) -> list[Path]:  # noqa: ARG002
        return []


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_store(sqlite_url(tmp_path))


def submit(engine: Engine, home: Path) -> str:
    jobs = Jobs(engine, home=home, database_url=sqlite_url(home), worker_command=None)
    dataset = DatasetRef(name="tickets", sha256="0" * 64, rows=12)
    spec = EvaluationSpec(candidates=(Candidate(model="SmolLM2-135M-Instruct"),), dataset=dataset)
    return jobs.submit(spec, dedupe_key="key", owner="ana").id


def notes(engine: Engine, job_id: str) -> list[str]:
    events = Queue(engine).events_after(0, job_id=job_id, limit=500)
    return [event.data["en"] for event in events if event.kind == "note"]


def test_a_job_goes_on_after_its_place_was_away_and_says_so_once(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finetune.supervisor._PLACE_AWAY_S", 0.0)
    job_id = submit(engine, tmp_path)
    leases = Leases(engine, "worker", home=tmp_path)
    leases.enrol(())
    waiting = Waiting(job_id=int(job_id), owner="ana", state="queued")
    assert leases.grant(Grant(waiting, ()), most_running=None)

    Supervisor(engine, FlickeringPlace(), leases, context={}, stopping=Event()).run(job_id)

    job = Queue(engine).job(job_id)
    assert (job.state, job.attempts) == ("succeeded", 1)
    [note] = notes(engine, job_id)
    assert "http://head:8265 does not answer. The job waits for it" in note


def test_a_worker_waits_for_a_cluster_that_has_no_gpu_yet_and_says_so(engine: Engine, tmp_path: Path) -> None:
    job_id = submit(engine, tmp_path)
    stopping = Event()

    def none_then_stop() -> tuple[()]:
        if notes(engine, job_id):
            stopping.set()
        return ()

    place = Place(FlickeringPlace(), none_then_stop)

    leases = Leases(engine, "worker", home=tmp_path)
    assert _await_devices(place, Queue(engine), leases, stopping, None) == ()
    [note] = notes(engine, job_id)
    assert "has no GPU" in note
    assert Queue(engine).job(job_id).state == "queued"


def test_a_worker_with_a_job_in_hand_does_not_wait_for_the_cluster(engine: Engine, tmp_path: Path) -> None:
    job_id = submit(engine, tmp_path)
    leases = Leases(engine, "worker", home=tmp_path)
    leases.enrol(())
    assert leases.grant(
        Grant(Waiting(job_id=int(job_id), owner="ana", state="queued"), ()), most_running=None
    )

    def away() -> tuple[()]:
        raise ClusterAway("http://head:8265")

    assert _await_devices(Place(FlickeringPlace(), away), Queue(engine), leases, Event(), None) == ()
    assert ["http://head:8265 does not answer" in note for note in notes(engine, job_id)] == [True]


def test_a_cluster_without_a_shared_folder_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("finetune.executors.choice.importlib.util.find_spec", lambda _: object())

    with pytest.raises(NothingShared, match="SHORTLIST_SHARED") as refusal:
        require(Policy(ray_address="http://head:8265"))

    assert "SHORTLIST_SHARED" in refusal.value.to("zh")


def test_without_a_cluster_jobs_run_on_this_machine(tmp_path: Path) -> None:
    place = choose(Policy(devices="gpu0:24,gpu1:24", shared=tmp_path), {}, {}, keys={})

    assert [device.name for device in place.devices()] == ["gpu0", "gpu1"]
    assert place.threads is not None
