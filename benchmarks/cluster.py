"""Two Ray nodes with one pretended GPU each: how jobs spread, what Ray adds, and how long a lost node costs.

    python -m benchmarks.cluster

Needs the `ray` extra (`make cluster-check` installs it), 1.5 GB of memory and two minutes.
"""

from __future__ import annotations

import socket
import tempfile
import time
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

from finetune.state import Job
from tests.finetune.executors.ray_nodes import SMALL, Crew, two_nodes

JOBS = 12


def main() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, two_nodes(port) as nodes:
        nodes.dashboard = f"http://127.0.0.1:{port}"
        print(f"cluster up after {time.monotonic() - began_s:.0f} s")
        crew = Crew(Path(folder), nodes)
        spread(crew)
        lose_a_node(crew)
        crew.engine.dispose()


def spread(crew: Crew) -> None:
    began_s = time.monotonic()
    jobs = [crew.finish(job) for job in [crew.submit("take_a_moment") for _ in range(JOBS)]]
    print(f"{JOBS} jobs of 1 s on 2 GPUs: {time.monotonic() - began_s:.0f} s")
    print(f"  states {dict(Counter(job.state for job in jobs))}, attempts {[job.attempts for job in jobs]}")
    spans: dict[str, list[tuple[float, float]]] = {}
    waits = []
    for job in jobs:
        told = crew.jobs.result(job.id)["environment"]
        spans.setdefault(crew.node_of(job), []).append((told["began_s"], told["ended_s"]))
        waits.append(told["began_s"] - datetime.fromisoformat(str(job.started_at_utc)).timestamp())
    overlaps = sum(a[1] > b[0] for span in spans.values() for a, b in pairwise(sorted(span)))
    print(f"  jobs a node {sorted(map(len, spans.values()))}, two at a time on one GPU: {overlaps}")
    print(f"  from the start of an attempt to the recipe's first line: median {median(waits):.1f} s")


def lose_a_node(crew: Crew) -> None:
    pair = [crew.submit("hold_at_first"), crew.submit("hold_at_first")]
    for job in pair:
        crew.await_stage(job, "holding")
    nodes = {node.node_id: node for node in crew.nodes.worker_nodes}
    lost, kept = sorted(pair, key=lambda job: crew.node_of(job) not in nodes)
    asked_s = time.monotonic()
    crew.jobs.cancel(kept.id)
    crew.finish(kept)
    print(f"cancelled after {time.monotonic() - asked_s:.1f} s")
    killed_s = time.monotonic()
    crew.nodes.remove_node(nodes[crew.node_of(lost)], allow_graceful=False)
    ended: Job = crew.finish(lost)
    crew.nodes.add_node(**SMALL)
    print(
        f"a node killed: its job {ended.state} at attempt {ended.attempts} on the other node, "
        f"{time.monotonic() - killed_s:.0f} s later"
    )


if __name__ == "__main__":
    main()
