"""Ray nodes on this machine with GPUs that are not there, and a bot whose jobs run on them."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from finetune.executors.base import Executor
from finetune.executors.guard import RunFiles
from finetune.executors.ray import Patience, RayExecutor
from finetune.executors.ray_cluster import RayCluster
from finetune.jobs import Jobs
from finetune.policy import Policy
from finetune.spec import Candidate, DatasetRef, EvaluationSpec
from finetune.state import Job, JobEvent
from index.store import open_store, sqlite_url
from tests.finetune.executors.places import Place, recipes

WORKER = (sys.executable, str(Path(__file__).parents[1] / "tiny_worker.py"))
SMALL = {"num_cpus": 4, "num_gpus": 1, "object_store_memory": 80 * 2**20}


@contextmanager
def two_nodes(port: int) -> Iterator[Any]:
    """A head and a second node, one GPU each."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - an extra

    head = {**SMALL, "include_dashboard": True, "dashboard_port": port}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(**SMALL)
        yield cluster
    finally:
        cluster.shutdown()


class RayPlace(Place):
    """Needs no GPU of its own, so that tests do not wait for one another's."""

    name = "ray"

    def __init__(self, address: str) -> None:
        self._address = address

    def executor(self, code: str) -> Executor:
        cluster = RayCluster(self._address)
        return RayExecutor(cluster, kind="cpu", recipes=recipes(code), patience=Patience(polite_s=1.0))


class Crew:
    """A bot's side of a cluster: jobs, and a worker of its own."""

    def __init__(self, home: Path, nodes: Any) -> None:
        self.nodes = nodes
        self.shared = home / "shared"
        self.policy = Policy(ray_address=nodes.dashboard, shared=self.shared)
        url = sqlite_url(home)
        self.engine = open_store(url)
        self.jobs = Jobs(
            self.engine,
            home=home,
            database_url=url,
            worker_command=WORKER,
            worker_idle_s=0.5,
            policy=self.policy,
        )

    def submit(self, behaviour: str, owner: str = "ana") -> Job:
        dataset = DatasetRef(name=behaviour, sha256="0" * 64, rows=12)
        spec = EvaluationSpec(candidates=(Candidate(model="SmolLM2-135M-Instruct"),), dataset=dataset)
        return self.jobs.submit(spec, dedupe_key=uuid.uuid4().hex, owner=owner)

    def finish(self, job: Job) -> Job:
        return self.jobs.wait(job.id, timeout_s=120)

    def await_stage(self, job: Job, stage: str) -> None:
        def look(event: JobEvent) -> None:
            if event.data.get("stage") == stage:
                raise StopIteration

        with pytest.raises(StopIteration):
            self.jobs.wait(job.id, timeout_s=120, on_event=look)

    def node_of(self, job: Job) -> str:
        """The node that Ray chose for the current run."""
        from ray.job_submission import JobSubmissionClient  # noqa: PLC0415 - an extra

        run = RunFiles(self.jobs.folder(job.id)).wanted()["run"]
        return str(JobSubmissionClient(self.nodes.dashboard).get_job_info(run).driver_node_id)
