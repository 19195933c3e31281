"""What the doctor finds of jobs: rows that cannot be read, workers that are gone, orphans, clusters, full disks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, update

from finetune import health
from finetune.executors.processes import MARK
from finetune.executors.ray_cluster import ClusterAway, Kind, Load, Node
from finetune.fair import Grant, Waiting
from finetune.jobs import Jobs
from finetune.leases import Leases
from finetune.policy import Policy
from index.schema import jobs as jobs_table
from index.schema import workers
from index.store import open_store, sqlite_url
from tests.finetune.test_jobs import evaluation
from tests.finetune.test_leases import GPUS


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    url = sqlite_url(tmp_path)
    made = open_store(url)
    jobs = Jobs(made, home=tmp_path, database_url=url, worker_command=None)
    for key in ("a", "b"):
        jobs.submit(evaluation(), dedupe_key=key, owner="ana")
    return made


def found(engine: Engine, home: Path, name: str, **policy: object) -> health.Check:
    rules = Policy.model_validate({"devices": "gpu0:24,gpu1:48", **policy})
    return next(check for check in health.examine(engine, home=home, policy=rules) if check.name == name)


def take_first(engine: Engine, home: Path) -> None:
    leases = Leases(engine, "w", home=home)
    leases.enrol(GPUS)
    job = Waiting(job_id=1, owner="ana", state="queued")
    assert leases.grant(Grant(job, (GPUS[0],)), most_running=None)


def test_a_healthy_home_is_told_with_its_figures(engine: Engine, tmp_path: Path) -> None:
    take_first(engine, tmp_path)

    checks = health.examine(engine, home=tmp_path, policy=Policy(devices="gpu0:24,gpu1:48"))

    assert {check.state for check in checks} == {"ok"}
    said = {check.name: check.message.en for check in checks}
    assert said["jobs"] == "2 in all, 1 waiting, 1 with a worker"
    assert said["workers"].startswith("1 (")
    assert said["devices"] == "gpu0 (24 GiB), gpu1 (48 GiB)"


def test_a_row_that_somebody_broke_is_wrong(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        connection.execute(update(jobs_table).where(jobs_table.c.id == 2).values(state="asleep"))

    check = found(engine, tmp_path, "jobs")

    assert check.state == "wrong"
    assert "Job 2 cannot be read" in check.message.en


def test_jobs_of_a_worker_that_has_ended_are_named(engine: Engine, tmp_path: Path) -> None:
    take_first(engine, tmp_path)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with engine.begin() as connection:
        connection.execute(update(workers).values(pid=ended.pid))

    check = found(engine, tmp_path, "workers")

    assert (check.state, "job 1" in check.message.en, "任务 1" in check.message.zh) == ("wrong", True, True)


def test_an_orphan_is_found_by_its_mark_and_left_alone(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        connection.execute(update(jobs_table).where(jobs_table.c.id == 1).values(state="cancelled"))
    mark = {MARK: str(tmp_path / "jobs" / "1")}
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(
        command, env=os.environ | mark, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as orphan:
        assert orphan.stdout is not None
        orphan.stdout.readline()

        check = found(engine, tmp_path, "processes")

        assert orphan.poll() is None
        orphan.kill()
    assert (check.state, "job 1: something still runs" in check.message.en) == ("wrong", True)


@pytest.mark.parametrize(
    ("nodes", "state", "said"),
    [
        (
            (Node(gpus=2, cpus=8, memory_gib=32, accelerator="L4"), Node(gpus=0, cpus=4, memory_gib=8)),
            "ok",
            "http://head:8265 answers: 2 nodes, 2 GPUs (L4); 1 of 2 GPU in use",
        ),
        ((Node(gpus=0, cpus=4, memory_gib=8),), "wrong", "1 node, 0 GPUs: no GPU, so jobs wait"),
        (None, "wrong", "http://head:8265 does not answer, so jobs wait"),
    ],
)
def test_the_cluster_is_asked(
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    nodes: tuple[Node, ...] | None,
    state: str,
    said: str,
) -> None:
    class Cluster:
        def load(self, kind: Kind) -> Load:  # noqa: ARG002
            if nodes is None:
                raise ClusterAway("http://head:8265")
            total = sum(node.gpus for node in nodes)
            return Load(total=total, reported=1.0, ours={}, nodes=nodes)

    monkeypatch.setattr(health, "cluster_of", lambda _policy: (Cluster(), "gpu"))

    check = found(engine, tmp_path, "RAY_ADDRESS", ray_address="http://head:8265")

    assert (check.state, said in check.message.en) == (state, True), check.message.en


def test_a_disk_that_is_nearly_full_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=2**28))

    check = health.folder("SHORTLIST_HOME", tmp_path)

    assert (check.state, "only 0.25 GiB free" in check.message.en) == ("wrong", True)


def test_a_folder_that_cannot_be_written_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert health.folder("SHORTLIST_SHARED", tmp_path / "file" / "in it").state == "wrong"
