"""500 short jobs in PostgreSQL, two workers that are killed again and again: are any lost or doubled?

    python -m benchmarks.postgres [JOBS]

The server comes from a package and lives in a folder of its own.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from sqlalchemy import Engine, func, select

from index.schema import job_events, jobs, leases, measurements
from index.store import open_store
from tests.finetune.team import Team
from tests.postgres_server import postgres

DEVICES = {"first": "gpu0:24,gpu1:24", "second": "gpu2:24,gpu3:24"}
KILLS = 6


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as folder, postgres() as url:
        engine = open_store(url)
        team = Team(engine, url, Path(folder))
        try:
            run(team, count)
            report(engine, count)
        finally:
            team.dismiss()
            engine.dispose()


def run(team: Team, count: int) -> None:
    """Submit, hire, kill at random moments, and wait until nothing is left."""
    began_s = time.monotonic()
    for _ in range(count):
        team.submit("behave")
    print(f"submitted {count} jobs: {(time.monotonic() - began_s) / count * 1000:.1f} ms each")
    chance = random.Random(7)
    workers = {name: team.hire(name, devices) for name, devices in DEVICES.items()}
    began_s = time.monotonic()
    kills_at = sorted(chance.sample(range(count // 20, count - count // 10), KILLS))
    while (left := len(team.jobs.list(limit=count, unfinished_only=True))) > 0:
        if kills_at and count - left >= kills_at[0]:
            kills_at.pop(0)
            name = chance.choice(list(workers))
            workers[name].kill()
            workers[name].wait()
            time.sleep(chance.choice([0.0, 8.0]))  # at once, or after the other one has taken over
            workers[name] = team.hire(name, DEVICES[name])
        time.sleep(0.2)
    took_s = time.monotonic() - began_s
    print(f"all ended after {took_s:.0f} s: {count / took_s:.1f} jobs/s with {KILLS} kills of a worker")


def report(engine: Engine, count: int) -> None:
    """What the tables say."""
    ends = job_events.c.data["state"].as_string()
    with engine.connect() as connection:
        states = Counter(connection.execute(select(jobs.c.state)).scalars())
        attempts = Counter(connection.execute(select(jobs.c.attempts)).scalars())
        hands = Counter(connection.execute(select(jobs.c.worker)).scalars())
        per_job = select(measurements.c.job_id, func.count().label("n")).group_by(measurements.c.job_id)
        published = Counter(row.n for row in connection.execute(per_job))
        ended = select(job_events.c.job_id).where(job_events.c.kind == "state", ends == "succeeded")
        twice = [job for job, n in Counter(connection.execute(ended).scalars()).items() if n > 1]
        progress = select(job_events.c.data).where(job_events.c.kind == "progress")
        stages = Counter(data["stage"] for data in connection.execute(progress).scalars())
        held = connection.execute(select(func.count()).select_from(leases)).scalar_one()
    print(f"states {dict(states)}, lost {count - sum(states.values())}, ended twice {len(twice)}")
    print(f"attempts {dict(attempts)}, published rows a job {dict(published)}, leases left {held}")
    print(f"jobs a worker {sorted(hands.values())}, stages told {dict(stages)}")


if __name__ == "__main__":
    main()
