"""What the queue costs: from submitting to a running child, with 10,000 jobs waiting, and while there is nothing to do.

`python benchmarks/queue_load.py [--jobs 10000]`

SQLite, one worker process that is up already, a recipe of the standard library alone that says when its first line ran.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import psutil

from finetune.devices import discover
from finetune.dispatcher import Dispatcher
from finetune.executors.local import LocalExecutor, own_environment
from finetune.jobs import Jobs
from finetune.leases import Leases
from finetune.policy import Policy
from finetune.queue import Queue
from finetune.spec import Candidate, DatasetRef, EvaluationSpec
from finetune.state import Job
from index.store import open_store, sqlite_url

ROOT = Path(__file__).resolve().parents[1]
RECIPE = """
import json, sys, time
began_s = time.time()
from pathlib import Path
folder = Path(sys.argv[1])
if (limit := json.loads((folder / "spec.json").read_text())["limit"]):
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN if limit == 2 else signal.SIG_DFL)
    (folder / "ready").touch()
    time.sleep(600)
row = {"model": "tiny", "metrics": {"accuracy": {"value": 0.5, "n": 1}}}
(folder / "part").write_text(json.dumps({"candidates": [row], "environment": {"began_s": began_s}}))
(folder / "part").replace(folder / "result.json")
"""
WORKER = f"""
import sys
from finetune.worker import main
recipe = (sys.executable, "-c", {RECIPE!r})
sys.exit(main(recipes={{"evaluation": recipe, "tuning": recipe}}))
"""
PEOPLE = 8
SPEC = EvaluationSpec(
    candidates=(Candidate(model="smollm2"),), dataset=DatasetRef(name="load", sha256="0" * 64, rows=8)
)


class Bench:
    """A home, and its worker when there is one."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.url = sqlite_url(home)
        self.engine = open_store(self.url)
        self.jobs = Jobs(self.engine, home=home, database_url=self.url, worker_command=None)
        self.n_submitted = 0

    def submit(self) -> Job:
        self.n_submitted += 1
        owner = f"person{self.n_submitted % PEOPLE}"
        return self.jobs.submit(SPEC, dedupe_key=str(self.n_submitted), owner=owner)

    def cancelled_after_s(self, *, deaf: bool) -> float:
        """From the call of `cancel` to the end of a recipe that goes at once, or does not listen at all."""
        spec = SPEC.model_copy(update={"limit": 2 if deaf else 1})
        job = self.jobs.submit(spec, dedupe_key=f"deaf {deaf}", owner="person0")
        while not (self.jobs.folder(job.id) / "ready").exists():
            time.sleep(0.05)
        began_s = time.monotonic()
        self.jobs.cancel(job.id)
        self.jobs.wait(job.id, timeout_s=60)
        return time.monotonic() - began_s

    def start_worker(self) -> subprocess.Popen[bytes]:
        log = (self.home / "worker.log").open("ab")
        arguments = ["--home", str(self.home), "--database-url", self.url, "--policy", '{"devices": "cpu"}']
        return subprocess.Popen([sys.executable, "-c", WORKER, *arguments], cwd=ROOT, stderr=log)


def overhead_s(bench: Bench, times: int) -> list[float]:
    """From the call of `submit` to the first line of the recipe, one job at a time."""
    found = []
    for _ in range(times):
        began_s = time.time()
        job = bench.jobs.wait(bench.submit().id, timeout_s=60)
        found.append(float(bench.jobs.result(job.id)["environment"]["began_s"]) - began_s)
    return found


def cpu_frac(process: psutil.Process, seconds: float) -> float:
    """Share of one core that a process takes."""
    before = sum(process.cpu_times()[:2])
    time.sleep(seconds)
    return (sum(process.cpu_times()[:2]) - before) / seconds


def milliseconds(call: Callable[[], object], times: int = 15) -> float:
    took = []
    for _ in range(times):
        began_s = time.perf_counter()
        call()
        took.append(time.perf_counter() - began_s)
    return round(median(took) * 1000, 1)


def with_many_waiting(bench: Bench) -> dict[str, float]:
    jobs = bench.jobs
    leases = Leases(bench.engine, "load", home=bench.home)
    devices = discover("gpu0:24", {})
    leases.enrol(devices)
    executor = LocalExecutor(environment=own_environment())
    busy = Dispatcher(Queue(bench.engine), leases, executor, devices, Policy(), lambda *_: None, set())
    busy.look()
    newest = jobs.list()
    return {
        "submit": milliseconds(bench.submit),
        "list 20": milliseconds(jobs.list),
        "list 20 of one person": milliseconds(lambda: jobs.list(owner="person3")),
        "list 20 that have not ended": milliseconds(lambda: jobs.list(unfinished_only=True)),
        "place and start of 20": milliseconds(lambda: jobs.outlooks(newest)),
        "list and place of 1,000": milliseconds(lambda: jobs.outlooks(jobs.list(limit=1000)), 5),
        "devices and time spent": milliseconds(lambda: (jobs.devices(), jobs.spent())),
        "status of one": milliseconds(lambda: jobs.status("5000")),
        "cancel one": milliseconds(lambda: jobs.cancel(jobs.list(unfinished_only=True)[0].id)),
        "a worker's look": milliseconds(busy.look),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        worker = bench.start_worker()
        bench.jobs.wait(bench.submit().id, timeout_s=60)
        taken = sorted(overhead_s(bench, 40))
        print(
            f"submit to running child: median {median(taken):.2f} s, worst of {len(taken)} {taken[-1]:.2f} s"
        )
        for deaf in (False, True):
            how = "that does not listen" if deaf else "that listens"
            print(f"cancel of a recipe {how}: {bench.cancelled_after_s(deaf=deaf):.1f} s")
        time.sleep(3)
        process = psutil.Process(worker.pid)
        memory_mib = process.memory_info().rss / 2**20
        print(f"idle worker: {cpu_frac(process, 30):.2%} of a core, {memory_mib:.0f} MiB")
        worker.terminate()
        worker.wait()
        began_s = time.monotonic()
        for _ in range(given.jobs):
            bench.submit()
        print(f"submitting {given.jobs:,}: {(time.monotonic() - began_s) / given.jobs * 1000:.1f} ms each")
        print(f"with {given.jobs:,} waiting, ms:", json.dumps(with_many_waiting(bench), indent=1))


if __name__ == "__main__":
    main()
