"""A busy workspace: 50 events a second for a minute from 500 threads, a tenth of them delivered again.

`python -m benchmarks.slack_load [--rate 50] [--seconds 60] [--threads 500] [--question help]`

The bot is the program itself, `shortlist serve --http`, with its real skills and a store of its own; the Slack that
it answers to is the one of the tests, in a process of its own; this process plays who writes. An acknowledgement is
timed from the moment at which the event was due, so that a sender that falls behind does not hide it. What was
answered, and in which order, is read from the store and from what was posted.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from threading import local

import psutil
from sqlalchemy import create_engine, select

from index.schema import turns
from index.store import sqlite_url
from tests.slack_person import signature
from tests.slack_server import BOT_TOKEN, BOT_USER, SIGNING_SECRET, TEAM, SlackServer

CHANNEL = "C0LOAD"
SENDERS = 48
REDELIVERED_FRAC = 0.1
REDELIVERED_AFTER_S = (0.5, 5.0)
STARTS_WITHIN_S = 120
STANDS_STILL_S = 90
"""When nothing more was answered for so long, nothing more is expected."""
_mine = local()


@dataclass(frozen=True)
class Delivery:
    """One event, at the time at which it is due."""

    due_s: float
    number: int
    thread: int
    retry: int = 0


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=500)
    parser.add_argument("--question", default="help")
    parser.add_argument(
        "--after", type=float, default=10, help="Seconds between listening and the first event."
    )
    given = parser.parse_args()
    plan = deliveries(given.rate, given.seconds, given.threads)
    with tempfile.TemporaryDirectory() as folder, slack(given.threads) as (url, ask):
        home = Path(folder)
        with bot(home, url) as (port, process):
            time.sleep(given.after)
            began_s = time.monotonic()
            took_s, refused = send_all(plan, port, given.question)
            sent_s = time.monotonic() - began_s
            answered_s = wait_until_answered(home, {d.number for d in plan}, began_s)
            cpu_s = sum(process.cpu_times()[:2])
        found = outcome(home, plan, ask("posts"))
    centiles = quantiles(took_s, n=1000)
    figures = {
        "events": len({d.number for d in plan}), "deliveries": len(plan), "not_acknowledged": refused,
        "ack_p50_s": round(median(took_s), 3), "ack_p99_s": round(centiles[989], 3),
        "ack_max_s": round(max(took_s), 3), "sending_s": round(sent_s, 1),
        "answered_after_s": round(answered_s, 1), "bot_cpu_s": round(cpu_s, 1),
        **found, "cpus": os.cpu_count(), "load_1min": round(os.getloadavg()[0], 1),
    }  # fmt: skip
    print(json.dumps(figures, indent=2))
    failed = refused or found["lost"] or found["answered_twice"] or found["threads_out_of_order"]
    sys.exit(1 if failed or centiles[989] >= 1.0 else 0)


def deliveries(rate: float, seconds: float, threads: int) -> list[Delivery]:
    """Events in the threads in turn, evenly in time; a tenth of them come a second time."""
    chance = random.Random(0)
    first = [Delivery(n / rate, n, n % threads) for n in range(int(rate * seconds))]
    again = [
        Delivery(d.due_s + chance.uniform(*REDELIVERED_AFTER_S), d.number, d.thread, 1)
        for d in first
        if chance.random() < REDELIVERED_FRAC
    ]
    return sorted(first + again, key=lambda delivery: delivery.due_s)


def send_all(plan: list[Delivery], port: int, question: str) -> tuple[list[float], int]:
    """Deliver everything when it is due; seconds until each was acknowledged, and how many were not."""
    with ThreadPoolExecutor(SENDERS) as senders:
        began_s = time.monotonic() + 1.0
        done = [senders.submit(_send, delivery, began_s, port, question) for delivery in plan]
        outcomes = [one.result() for one in done]
    return [took_s for took_s, _ in outcomes], sum(status != 200 for _, status in outcomes)


def _send(delivery: Delivery, began_s: float, port: int, question: str) -> tuple[float, int]:
    due_s = began_s + delivery.due_s
    time.sleep(max(0.0, due_s - time.monotonic()))
    body = json.dumps(_event(delivery, question))
    headers = {"Content-Type": "application/json", **signature(SIGNING_SECRET, body)}
    if delivery.retry:
        headers |= {"X-Slack-Retry-Num": str(delivery.retry), "X-Slack-Retry-Reason": "http_timeout"}
    try:
        status = _post(port, body, headers)
    except OSError:
        _mine.connection = None
        status = 0
    return time.monotonic() - due_s, status


def _post(port: int, body: str, headers: dict[str, str]) -> int:
    """Over a connection that stays open, as Slack's do."""
    connection = getattr(_mine, "connection", None)
    if connection is None:
        connection = _mine.connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/slack/events", body.encode(), headers)
    response = connection.getresponse()
    response.read()
    return int(response.status)


def root_ts(thread: int) -> str:
    """The timestamp of a thread's first message, which is there before the load begins."""
    return f"1780000000.{thread:06d}"


def event_ts(number: int) -> str:
    """Later messages have later timestamps."""
    return f"{1790000000 + number // 1000}.{number % 1000:06d}"


def _event(delivery: Delivery, question: str) -> dict[str, object]:
    event = {
        "type": "app_mention", "user": f"U0P{delivery.thread:04d}", "channel": CHANNEL, "channel_type": "channel",
        "text": f"<@{BOT_USER}> {question} ({delivery.number})", "ts": event_ts(delivery.number),
        "thread_ts": root_ts(delivery.thread),
    }  # fmt: skip
    return {
        "type": "event_callback", "team_id": TEAM, "api_app_id": "A0APP", "event_id": f"Ev{delivery.number}",
        "event_time": int(time.time()), "event": event,
        "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
    }  # fmt: skip


def wait_until_answered(home: Path, numbers: set[int], began_s: float) -> float:
    """Wait until every event has an answer in the store, or nothing moves any more; seconds since the start."""
    best, moved_s = 0, time.monotonic()
    while time.monotonic() - moved_s < STANDS_STILL_S:
        count = sum(len(said) for said in turns_by_thread(home).values())
        if count > best:
            best, moved_s = count, time.monotonic()
        if count >= len(numbers):
            break
        time.sleep(0.5)
    return moved_s - began_s


def turns_by_thread(home: Path) -> dict[str, list[int]]:
    """The numbers of the questions that were answered, in the order in which they were, by thread."""
    engine = create_engine(sqlite_url(home))
    with engine.connect() as connection:
        rows = connection.execute(select(turns.c.thread, turns.c.text).order_by(turns.c.id)).all()
    engine.dispose()
    found: dict[str, list[int]] = defaultdict(list)
    for thread, text in rows:
        found[thread].append(int(text.rpartition("(")[2].rstrip(")")))
    return found


def outcome(home: Path, plan: list[Delivery], posts: dict[str, int]) -> dict[str, int]:
    """What was lost, done twice, or done in the wrong order."""
    said = turns_by_thread(home)
    counted = Counter(number for numbers in said.values() for number in numbers)
    wanted = {d.number for d in plan}
    in_thread = Counter(d.thread for d in plan if not d.retry)
    posted = {int(ts.partition(".")[2]): count for ts, count in posts.items()}
    return {
        "lost": len(wanted - counted.keys()),
        "answered_twice": sum(count > 1 for count in counted.values()),
        "threads_out_of_order": sum(numbers != sorted(numbers) for numbers in said.values()),
        "threads_with_missing_posts": sum(posted.get(t, 0) < n for t, n in in_thread.items()),
        "threads_with_posts_too_many": sum(posted.get(t, 0) > n for t, n in in_thread.items()),
    }


@contextmanager
def bot(home: Path, api_url: str) -> Iterator[tuple[int, psutil.Process]]:
    """The program itself, listening."""
    port = _free_port()
    environment = {
        **os.environ, "SHORTLIST_HOME": str(home), "SLACK_API_URL": api_url, "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_SIGNING_SECRET": SIGNING_SECRET, "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    program = Path(sys.executable).with_name("shortlist")
    with (home / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", "--http", "--port", str(port)], env=environment, stdout=log, stderr=log
        )
    try:
        _wait_for(port, process)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def slack(threads: int) -> Iterator[tuple[str, object]]:
    """The Slack of the tests in a process of its own, with a root message for each thread."""
    ours, theirs = Pipe()
    process = Process(target=_be_slack, args=(theirs, threads), daemon=True)
    process.start()

    def ask(what: str) -> object:
        ours.send(what)
        return ours.recv()

    try:
        yield str(ours.recv()), ask
    finally:
        ours.send("end")
        process.join()


def _be_slack(pipe: Connection, threads: int) -> None:
    server = SlackServer()
    for thread in range(threads):
        message = {
            "ts": root_ts(thread),
            "channel": CHANNEL,
            "user": "U0ROOT",
            "text": "…",
            "type": "message",
        }
        server.workspace.messages[CHANNEL, root_ts(thread)] = message
    pipe.send(server.url)
    while pipe.recv() != "end":
        found = [m for m in server.workspace.messages.values() if m.get("user") == BOT_USER]
        pipe.send(dict(Counter(message.get("thread_ts") or "" for message in found)))
    server.close()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    began_s = time.monotonic()
    while time.monotonic() - began_s < STARTS_WITHIN_S:
        if process.poll() is not None:
            raise SystemExit("the bot ended at once: see its log")
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise SystemExit("the bot did not start")


if __name__ == "__main__":
    main()
