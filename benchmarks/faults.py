"""Does a job get lost, run twice, or share its device, whatever is killed? Prints the counts.

`python benchmarks/faults.py [--jobs 200] [--seed 0] [--disk 48]`

One bot submits jobs and keeps their cards; three workers of one home share three pretended GPUs; the recipe takes a
second and keeps a ledger (fault_recipe.py). Meanwhile, at random moments: SIGKILL of the bot, of a worker, of a recipe;
a worker is frozen for longer than its lease and goes on afterwards; the store is locked by BEGIN EXCLUSIVE for seconds;
all stored times are moved by an hour, as by a clock that was set, and every worker and bot believes in a clock of its
own that is up to an hour off and may step; the disk is full for seconds (a small tmpfs, where this
process may mount one: --disk MIB). What is killed is started again, as an init system would. Slack is played by a
file. The clock of the machine itself is not set.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from threading import Timer
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
RECIPE = (sys.executable, str(ROOT / "benchmarks" / "fault_recipe.py"))
OWNERS = ("ana", "bo", "chen", "dee")
LEASE_S = 6.0
DEVICES = "gpu0:24,gpu1:24,gpu2:24"
WORKERS = ("a", "b", "c")
FAULTS = {
    "kill bot": 2,
    "kill worker": 5,
    "kill recipe": 5,
    "freeze worker": 1,
    "lock store": 1,
    "step clock": 1,
    "fill disk": 1,
}
"""How often each is drawn, beside the others."""


@dataclass
class Counts:
    """What came of it. The first five have to be 0."""

    lost: int = 0
    """Not there, or without an end."""
    completed_twice: int = 0
    devices_leased_twice: int = 0
    cards_untrue: int = 0
    """Whose last text does not say how the job ended."""
    histories_illegal: int = 0
    jobs: int = 0
    states: dict[str, int] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    """Why jobs failed, where they did."""
    published: int = 0
    leases_left: int = 0
    cards_missing: int = 0
    """Jobs whose bot died between claiming and posting the card."""
    results_posted: int = 0
    """Of jobs that succeeded."""
    results_posted_twice: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    took_s: float = 0.0

    @property
    def is_sound(self) -> bool:
        broken = (self.lost, self.completed_twice, self.devices_leased_twice, self.cards_untrue)
        return not any(broken) and not self.histories_illegal and not self.leases_left


class Channel:
    """A Slack that is a file: every post and every edit is one line. Lives through the death of the bot."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def chat_postMessage(self, **message: Any) -> dict[str, Any]:  # noqa: N802 - Slack's own name
        ts = f"{time.time_ns() / 1e9:.6f}"
        named = re.search(r"\(job (\d+)\)", json.dumps(message["blocks"]))
        self._append({"ts": ts, "text": message["text"], "result_of": named and named[1], "is_new": True})
        return {"channel": message["channel"], "ts": ts}

    def chat_update(self, **message: Any) -> dict[str, Any]:
        self._append({"ts": message["ts"], "text": message["text"], "is_new": False})
        return {}

    def _append(self, line: dict[str, Any]) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(handle, (json.dumps(line) + "\n").encode())
        os.close(handle)


def spec() -> Any:
    from finetune.spec import Candidate, DatasetRef, EvaluationSpec  # noqa: PLC0415

    dataset = DatasetRef(name="faults", sha256="0" * 64, rows=8)
    return EvaluationSpec(candidates=(Candidate(model="smollm2"),), dataset=dataset)


def be_bot(home: Path, jobs_wanted: int) -> None:
    """Submit all jobs, again if it was killed before, and keep the cards true."""
    from bot.inbound import Place  # noqa: PLC0415
    from bot.people import Names  # noqa: PLC0415
    from bot.progress import CardPoller, JobCards  # noqa: PLC0415
    from finetune.jobs import Jobs  # noqa: PLC0415
    from index.store import open_store, sqlite_url  # noqa: PLC0415

    live_by_a_wrong_clock()
    engine = open_store(sqlite_url(home))
    jobs = Jobs(engine, home=home, database_url=sqlite_url(home), worker_command=None)
    cards, channel = JobCards(engine, jobs, Names()), Channel(channel_path(home))
    cards.reopen_untold()
    CardPoller(cards, channel, interval_s=0.5).start()  # type: ignore[arg-type]
    number = 0
    while True:
        if number < jobs_wanted:
            try:
                job = jobs.submit(spec(), dedupe_key=f"fault-{number}", owner=OWNERS[number % len(OWNERS)])
                place = Place(team="T1", channel="C1", thread_ts=None)
                cards.post(channel, job, place, "en")  # type: ignore[arg-type]
                number += 1
            except Exception as error:  # a locked store or a full disk: the person would try again
                print("bot:", str(error).splitlines()[0], file=sys.stderr)
                time.sleep(0.5)
        time.sleep(0.05)


def live_by_a_wrong_clock() -> None:
    """Each process that starts believes in a time of day of its own, up to an hour off; some step while they run."""
    from index import store  # noqa: PLC0415

    real_s, off_s = time.time, random.uniform(-3600, 3600)
    steps_at_s, step_s = time.monotonic() + random.uniform(0, 60), random.choice((-3600, 0, 3600))

    def wrong_s() -> float:
        return real_s() + off_s + (step_s if time.monotonic() > steps_at_s else 0)

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Wrong:
            return cls.fromtimestamp(wrong_s(), tz)

    time.time = wrong_s
    store.datetime = Wrong  # type: ignore[misc]


def be_worker(arguments: list[str]) -> int:
    from finetune.worker import main  # noqa: PLC0415

    live_by_a_wrong_clock()
    return main(arguments, recipes={"evaluation": RECIPE, "tuning": RECIPE})


def channel_path(home: Path) -> Path:
    """Beside the home, not in it: Slack's disk is not full when ours is."""
    return home.parent / f"{home.name}.channel.jsonl"


class Troupe:
    """The processes of the run: what dies is started again."""

    def __init__(self, home: Path, jobs_wanted: int) -> None:
        self.home = home
        policy = json.dumps({"devices": DEVICES, "lease_s": LEASE_S})
        common = [
            "--home",
            str(home),
            "--database-url",
            f"sqlite:///{home / 'shortlist.db'}",
            "--policy",
            policy,
        ]
        self._commands = {name: ["worker", *common, "--name", name] for name in WORKERS}
        self._commands["bot"] = ["bot", str(home), str(jobs_wanted)]
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._log = (home.parent / f"{home.name}.log").open("ab")

    def keep_up(self) -> None:
        for name, command in self._commands.items():
            process = self._running.get(name)
            if process is None or process.poll() is not None:
                self._running[name] = subprocess.Popen(
                    [sys.executable, str(ROOT / "benchmarks" / "faults.py"), *command],
                    cwd=ROOT,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                    stdout=self._log,
                    stderr=self._log,
                )

    def send(self, name: str, number: signal.Signals) -> None:
        process = self._running.get(name)
        if process is not None and process.poll() is None:
            process.send_signal(number)

    def is_at_work(self, name: str) -> bool:
        """True when the worker is known in the store."""
        process = self._running.get(name)
        return process is not None and (process.pid,) in _rows(self.home, "SELECT pid FROM workers")

    def end(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()
        self._log.close()


class Chaos:
    """One fault at a time, at random moments."""

    def __init__(self, troupe: Troupe, rng: random.Random, *, has_small_disk: bool) -> None:
        self._troupe = troupe
        self._home = troupe.home
        self._rng = rng
        self._kinds = [kind for kind in FAULTS if has_small_disk or kind != "fill disk"]
        self._weights = [FAULTS[kind] for kind in self._kinds]
        self.done: Counter[str] = Counter()

    def strike(self) -> None:
        kind = self._rng.choices(self._kinds, self._weights)[0]
        acts: dict[str, Callable[[], bool]] = {
            "kill bot": lambda: self._kill("bot"),
            "kill worker": lambda: self._kill(self._rng.choice(WORKERS)),
            "kill recipe": self._kill_recipe,
            "freeze worker": self._freeze,
            "lock store": self._lock,
            "step clock": self._step,
            "fill disk": self._fill,
        }
        self.done[kind] += acts[kind]()

    def _kill(self, name: str) -> bool:
        """One that has not come to its work yet is spared, or a slow machine would see nothing but starts."""
        if name in WORKERS and not self._troupe.is_at_work(name):
            return False
        self._troupe.send(name, signal.SIGKILL)
        return True

    def _kill_recipe(self) -> bool:
        recipes = [p for p in psutil.process_iter() if str(self._home / "jobs") in " ".join(_command(p))]
        if recipes:
            self._rng.choice(recipes).kill()
        return bool(recipes)

    def _freeze(self) -> bool:
        name = self._rng.choice(WORKERS)
        if not self._troupe.is_at_work(name):
            return False
        self._troupe.send(name, signal.SIGSTOP)
        Timer(LEASE_S * 1.6, self._troupe.send, (name, signal.SIGCONT)).start()
        return True

    def _lock(self) -> bool:
        connection = sqlite3.connect(self._home / "shortlist.db", timeout=20, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
            time.sleep(self._rng.uniform(1, 4))
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
        finally:
            connection.close()
        return True

    def _step(self) -> bool:
        hours = self._rng.choice((-1, 1))
        moved = "strftime('%Y-%m-%dT%H:%M:%f', {0}, '{1} hours') || '+00:00'"
        with sqlite3.connect(self._home / "shortlist.db", timeout=20) as connection:
            for table, column in (
                ("jobs", "created_at_utc"),
                ("jobs", "started_at_utc"),
                ("job_events", "at_utc"),
                ("workers", "seen_at_utc"),
                ("leases", "taken_at_utc"),
            ):
                new = moved.format(column, hours)
                connection.execute(f"UPDATE {table} SET {column} = {new} WHERE {column} IS NOT NULL")  # noqa: S608
        connection.close()
        return True

    def _fill(self) -> bool:
        ballast = self._home / "ballast"
        try:
            with ballast.open("wb") as file:
                while True:
                    file.write(b"\0" * 2**16)
        except OSError:
            time.sleep(self._rng.uniform(1, 4))
        ballast.unlink(missing_ok=True)
        return True


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def run(
    home: Path,
    *,
    jobs: int,
    seed: int,
    most_faults: int,
    pause_s: tuple[float, float],
    has_small_disk: bool = False,
) -> Counts:
    """Let jobs run among faults, wait for the end, and count."""
    from index.store import open_store, sqlite_url  # noqa: PLC0415

    began_s = time.monotonic()
    (home / "ledger").mkdir(parents=True, exist_ok=True)
    engine = open_store(sqlite_url(home))
    rng = random.Random(seed)
    troupe = Troupe(home, jobs)
    chaos = Chaos(troupe, rng, has_small_disk=has_small_disk)
    try:
        while not _is_over(home, jobs) and time.monotonic() - began_s < 1800:
            troupe.keep_up()
            if sum(chaos.done.values()) < most_faults:
                time.sleep(rng.uniform(*pause_s))
                chaos.strike()
            else:
                time.sleep(0.2)
        _await_cards(home, jobs, troupe)
    finally:
        troupe.end()
        engine.dispose()
    counts = count(home, jobs)
    counts.faults, counts.took_s = dict(chaos.done), round(time.monotonic() - began_s, 1)
    return counts


def _rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(home / "shortlist.db", timeout=30)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


_OPEN = "state NOT IN ('succeeded', 'failed', 'cancelled')"


def _is_over(home: Path, jobs: int) -> bool:
    [(total, unfinished)] = _rows(home, f"SELECT count(*), coalesce(sum({_OPEN}), 0) FROM jobs")  # noqa: S608
    return bool(total >= jobs and unfinished == 0)


def _await_cards(home: Path, jobs: int, troupe: Troupe) -> None:
    """The last edits come a moment after the last job."""
    for _ in range(300):
        troupe.keep_up()
        [(cards, unfinished)] = _rows(home, "SELECT count(*), coalesce(sum(finished <> 1), 0) FROM job_cards")
        [(claims,)] = _rows(home, "SELECT count(*) FROM deliveries WHERE key LIKE 'card:%'")
        if claims >= jobs and unfinished == 0 and cards:
            return
        time.sleep(0.2)


def count(home: Path, jobs: int) -> Counts:
    """Hold the store, the ledger and the channel against each other."""
    states = dict(_rows(home, "SELECT id, state FROM jobs"))
    ended = [state for state in states.values() if state in ("succeeded", "failed", "cancelled")]
    completed = Counter(_lines(home / "ledger" / "completed"))
    messages = list(_messages(home))
    results = Counter(message["result_of"] for message in messages if message.get("result_of"))
    cards = dict(_rows(home, "SELECT job_id, message_ts FROM job_cards"))
    last = {message["ts"]: message["text"] for message in messages}
    return Counts(
        lost=jobs - len(ended),
        completed_twice=sum(times > 1 for times in completed.values()),
        devices_leased_twice=len(_lines(home / "ledger" / "doubled_devices")),
        cards_untrue=sum(_said(states[job]) not in last.get(ts, "") for job, ts in cards.items()),
        histories_illegal=sum(not _is_legal(home, job, state) for job, state in states.items()),
        jobs=len(states),
        states=dict(Counter(states.values())),
        attempts=dict(sorted(Counter(n for (n,) in _rows(home, "SELECT attempts FROM jobs")).items())),
        reasons=[
            json.loads(reason)["en"]
            for (reason,) in _rows(home, "SELECT reason FROM jobs WHERE reason NOTNULL")
        ],
        published=_rows(home, "SELECT count(*) FROM measurements")[0][0],
        leases_left=_rows(home, "SELECT count(*) FROM leases")[0][0],
        cards_missing=len(states) - len(cards),
        results_posted=len(results),
        results_posted_twice=sum(times > 1 for times in results.values()),
    )


def _said(state: str) -> str:
    return {"succeeded": "done", "failed": "failed", "cancelled": "stopped"}.get(state, state)


def _messages(home: Path) -> Iterator[dict[str, Any]]:
    for line in _lines(channel_path(home)):
        yield json.loads(line)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _is_legal(home: Path, job: int, state: str) -> bool:
    """Every state in the history followed legally from the one before, and the last is the row's."""
    from finetune.state import TRANSITIONS  # noqa: PLC0415

    query = f"SELECT data FROM job_events WHERE job_id = {job} AND kind = 'state' ORDER BY id"  # noqa: S608
    told = [json.loads(data)["state"] for (data,) in _rows(home, query)]
    steps = itertools.pairwise(told)
    return (
        told[0] == "queued" and told[-1] == state and all(to in TRANSITIONS[source] for source, to in steps)
    )


@contextmanager
def small_disk(mib: int) -> Iterator[tuple[Path, bool]]:
    """A folder on a disk of its own that can be filled, where one can be mounted."""
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(disk)]
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        try:
            yield disk, mounted
        finally:
            if mounted:
                subprocess.run(["umount", "-l", str(disk)], check=False)


def main() -> int:
    if sys.argv[1:2] == ["worker"]:
        return be_worker(sys.argv[2:])
    if sys.argv[1:2] == ["bot"]:
        be_bot(Path(sys.argv[2]), int(sys.argv[3]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", type=int, default=250)
    parser.add_argument("--disk", type=int, default=64, metavar="MIB")
    given = parser.parse_args()
    with small_disk(given.disk) as (disk, mounted):
        counts = run(
            disk,
            jobs=given.jobs,
            seed=given.seed,
            most_faults=given.faults,
            pause_s=(0.05, 0.8),
            has_small_disk=mounted,
        )
        if not counts.is_sound:
            Path("faults.log").write_bytes((disk.parent / f"{disk.name}.log").read_bytes())
    print(json.dumps(asdict(counts), indent=1, ensure_ascii=False))
    return 0 if counts.is_sound else 1


if __name__ == "__main__":
    sys.exit(main())
