"""Workers on one queue and one folder for jobs, each in a process and with a home of its own."""

from __future__ import annotations

import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Engine

from finetune.executors.local import child_environment, own_environment
from finetune.jobs import Jobs
from finetune.policy import Policy
from finetune.spec import Candidate, DatasetRef, EvaluationSpec
from finetune.state import Job, JobEvent

WORKER = (sys.executable, str(Path(__file__).with_name("tiny_worker.py")))


@dataclass
class Team:
    """Hires workers, and submits jobs that the tiny recipe runs."""

    engine: Engine
    url: str
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policy = Policy(devices="gpu0:24,gpu1:24", shared=self.folder / "shared", lease_s=5.0)
        self.jobs = Jobs(
            self.engine, home=self.folder, database_url=self.url, worker_command=None, policy=self.policy
        )

    def hire(self, name: str, devices: str = "gpu0:24", *, host: str = "") -> subprocess.Popen[bytes]:
        """Start a worker; one with a `host` believes itself on a machine of that name, and shares no folder."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        shared = None if host else self.policy.shared
        policy = self.policy.model_copy(update={"devices": devices, "shared": shared})
        worker_of = [*WORKER, f"--host={host}"] if host else WORKER
        command = [*worker_of, "--home", str(home), "--database-url", "-", "--until-idle", "60"]
        with (home / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [*command, "--policy", policy.model_dump_json(exclude_defaults=True)],
                env=child_environment(own_environment()),
                stdin=subprocess.PIPE,
                stderr=log,
            )
        assert worker.stdin is not None
        worker.stdin.write(f"{self.url}\n".encode())
        worker.stdin.close()
        self.processes.append(worker)
        return worker

    def submit(self, behaviour: str) -> Job:
        dataset = DatasetRef(name=behaviour, sha256="0" * 64, rows=12)
        spec = EvaluationSpec(candidates=(Candidate(model="SmolLM2-135M-Instruct"),), dataset=dataset)
        return self.jobs.submit(spec, dedupe_key=uuid.uuid4().hex, owner="ana")

    def finish(self, job: Job) -> Job:
        return self.jobs.wait(job.id, timeout_s=120)

    def await_stage(self, job: Job, stage: str) -> JobEvent:
        found = []

        def look(event: JobEvent) -> None:
            if event.data.get("stage") == stage:
                found.append(event)
                raise StopIteration

        with pytest.raises(StopIteration):
            self.jobs.wait(job.id, timeout_s=120, on_event=look)
        return found[0]

    def dismiss(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()
