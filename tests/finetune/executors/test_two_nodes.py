"""The real worker with a real Ray cluster of two nodes, whose GPUs are pretended: `make cluster-check`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from finetune.executors.choice import device_of_jobs
from finetune.health import examine
from tests.finetune.executors.ray_nodes import SMALL, Crew

pytestmark = pytest.mark.ray


@pytest.fixture
def crew(tmp_path: Path, ray_nodes: Any) -> Iterator[Crew]:
    made = Crew(tmp_path, ray_nodes)
    yield made
    for job in made.jobs.list(unfinished_only=True):
        made.jobs.cancel(job.id)
        made.finish(job)
    made.engine.dispose()


def test_jobs_spread_over_the_nodes_one_at_a_time_a_gpu(crew: Crew) -> None:
    jobs = [crew.finish(job) for job in [crew.submit("take_a_moment") for _ in range(6)]]

    assert [(job.state, job.attempts) for job in jobs] == [("succeeded", 1)] * 6
    spans: dict[str, list[tuple[float, float]]] = {}
    for job in jobs:
        told = crew.jobs.result(job.id)["environment"]
        spans.setdefault(crew.node_of(job), []).append((told["began_s"], told["ended_s"]))
        assert told["visible"] == "0"
    assert len(spans) == 2
    for on_one_gpu in spans.values():
        assert all(before[1] <= after[0] for before, after in pairwise(sorted(on_one_gpu)))


def test_a_job_whose_node_is_killed_ends_well_on_another(crew: Crew) -> None:
    first, second = crew.submit("hold_at_first"), crew.submit("hold_at_first")
    crew.await_stage(first, "holding"), crew.await_stage(second, "holding")
    nodes = {node.node_id: node for node in crew.nodes.worker_nodes}
    [lost] = [job for job in (first, second) if crew.node_of(job) in nodes]
    [kept] = [job for job in (first, second) if job.id != lost.id]

    crew.nodes.remove_node(nodes[crew.node_of(lost)], allow_graceful=False)
    try:
        crew.jobs.cancel(kept.id)
        assert crew.finish(kept).state == "cancelled"
        lost = crew.finish(lost)
    finally:
        crew.nodes.add_node(**SMALL)

    assert (lost.state, lost.attempts) == ("succeeded", 2)
    assert crew.node_of(lost) == crew.nodes.head_node.node_id
    notes = [event.data["en"] for event in crew.jobs.events_after(0, lost.id) if event.kind == "note"]
    assert [note.startswith("Attempt 2 of 3 begins") for note in notes] == [True]
    assert crew.jobs.result(lost.id)["candidates"]


def test_the_next_worker_takes_up_what_runs_on_the_cluster(crew: Crew) -> None:

    job = crew.submit("work_until_the_gate_opens")
    crew.await_stage(job, "begun")
    workers = [
        p for p in psutil.process_iter() if str(crew.shared.parent) in _line(p) and "tiny_worker" in _line(p)
    ]
    for worker in workers:
        worker.kill()
        worker.wait()
    (crew.jobs.folder(job.id) / "gate").touch()

    job = crew.finish(job)

    assert workers
    assert (job.state, job.attempts) == ("succeeded", 1)


def _line(process: Any) -> str:

    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_the_cluster_is_examined_and_reckoned_with(crew: Crew) -> None:
    checks = {check.name: check for check in examine(crew.engine, home=crew.shared, policy=crew.policy)}
    device = device_of_jobs(crew.policy)

    assert checks["RAY_ADDRESS"].state == "ok"
    assert "2 nodes, 2 GPUs" in checks["RAY_ADDRESS"].message.en
    assert (device.free_gib, device.is_gpu, device.is_here) == (crew.policy.ray_gpu_gib, True, False)
