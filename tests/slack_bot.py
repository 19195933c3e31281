"""The real Slack app, running against our small Slack, with one seam: what answers a turn.

`open_surface` uses the real store and the real jobs, without a worker: tests say themselves what a job does.
To put the real skills behind the app, hand `running_bot` the surface of a real desk:
`bot.slack.surface_of(desk, Access(frozenset({"*"})))`, where everybody may start jobs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slack_bolt import App

from bot.access import Access, Limits
from bot.approvals import gate
from bot.data_choice import DataDesk
from bot.files import FileShelf
from bot.launches import Launches
from bot.people import Names
from bot.progress import JobCards
from bot.slack import Credentials, build_bolt_app, serve_http
from bot.surface import Surface
from finetune.jobs import Jobs
from finetune.queue import Queue
from finetune.spec import Candidate, DatasetRef, EvaluationSpec, TuningSpec
from finetune.state import EventKind, Job, JobState
from index.bilingual import Bilingual
from index.store import open_store, sqlite_url
from skills.conversation.answer import Answer
from skills.conversation.language import language_of
from skills.conversation.request import Request, Requirements, Turn
from skills.conversation.threads import Threads
from tests.slack_person import Person
from tests.slack_server import BOT_TOKEN, BOT_USER, SIGNING_SECRET, Payload, SlackServer

DATASET = DatasetRef(name="tickets", sha256="0" * 64, rows=412, labels=("billing", "refund"))
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"


@dataclass
class ScriptedReply:
    """Answers turns with what the test says, and remembers them in the store as the skills do."""

    threads: Threads
    say: Callable[[Turn], Any] = lambda turn: f"**You asked:** {turn.text}"
    """Text, an Answer, or an exception to raise."""
    turns: list[Turn] = field(default_factory=list)

    def __call__(self, turn: Turn, said: Any = None) -> Answer:
        self.turns.append(turn)
        said = self.say(turn)
        if isinstance(said, Exception):
            raise said
        answer = said if isinstance(said, Answer) else answer_to(turn, text=said)
        number = self.threads.append(self.read(turn), answer)
        return answer.model_copy(update={"exchange": number})

    @staticmethod
    def read(turn: Turn) -> Request:
        """Understand just enough for a form to start with: every word with a slash is a model."""
        models = tuple(word for word in turn.text.split() if "/" in word)
        return Request(
            turn=turn,
            language=language_of(turn.text),
            skill="answer",
            requirements=Requirements(candidates=models or None),
            dataset="tickets" if "tickets" in turn.text else None,
        )


def answer_to(turn: Turn, *, text: str = "An answer.", **more: Any) -> Answer:
    values = {"skill": "answer", "language": language_of(turn.text), "requirements": Requirements(), **more}
    return Answer(thread=turn.thread, text=text, **values)


def evaluation(**more: Any) -> EvaluationSpec:
    candidates = (Candidate(model=MODEL), Candidate(model=MODEL, quantization="int8"))
    return EvaluationSpec(**{"candidates": candidates, "dataset": DATASET, **more})


def tuning(**more: Any) -> TuningSpec:
    return TuningSpec(**{"base_model": MODEL, "dataset": DATASET, **more})


def open_surface(
    home: Path,
    *,
    runners: frozenset[str] = frozenset(),
    say: Any = None,
    approvers: frozenset[str] = frozenset(),
    limits: Limits | None = None,
) -> Surface:
    """What the listeners touch, on the store of a home. Opening it again is what a restart does.

    Everybody may start jobs unless `runners` lists who may.
    """
    engine = open_store(sqlite_url(home))
    jobs = Jobs(engine, home=home, database_url=sqlite_url(home), worker_command=None)
    access = Access(runners or frozenset({"*"}), approvers=approvers, limits=limits or Limits())
    jobs = jobs.gated(gate(access, jobs.effort))
    threads, names = Threads(engine), Names()
    reply = ScriptedReply(threads, say) if say else ScriptedReply(threads)
    return Surface(
        reply=reply,
        read=reply.read,
        jobs=jobs,
        threads=threads,
        engine=engine,
        access=access,
        names=names,
        cards=JobCards(engine, jobs, names),
        launches=Launches(engine),
        data=DataDesk(jobs, FileShelf(max_mib=1)),
    )


@dataclass
class RunningBot:
    """A bot that listens, the Slack that it talks to, and Ana, who talks to it."""

    app: App
    surface: Surface
    slack: SlackServer
    ana: Person
    port: int
    work: list[Future[None]]
    """Everything that was delivered and is, or was, dealt with."""

    @property
    def turns(self) -> list[Turn]:
        return self.surface.reply.turns  # type: ignore[attr-defined]

    def settle(self) -> None:
        """Wait until everything that was delivered has been dealt with."""
        done = -1
        while done < len(self.work):  # work may bring forth more work
            done = len(self.work)
            wait(self.work)
            self.surface.lines.settle()

    def posts(self) -> list[Payload]:
        """What the bot has posted in answer to everything that was delivered."""
        self.settle()
        return [m for m in self.slack.workspace.messages.values() if m.get("user") == BOT_USER]

    def told(self) -> list[Payload]:
        """What the bot has told only the person who typed or pressed something."""
        self.settle()
        return self.slack.calls("response_url")


@contextmanager
def running_bot(surface: Surface, slack: SlackServer) -> Iterator[RunningBot]:
    """Serve the app over signed HTTP on a free port."""
    credentials = Credentials(bot_token=BOT_TOKEN, signing_secret=SIGNING_SECRET, api_url=slack.url)
    app = build_bolt_app(credentials, surface)
    executor = app.listener_runner.listener_executor
    try:
        with serve_http(app, port=0) as server:
            ana = Person(slack, server.port)
            yield RunningBot(app, surface, slack, ana, server.port, recorded(executor))
    finally:
        executor.shutdown()
        surface.lines.close()
        surface.engine.dispose()


def open_form(bot: RunningBot, command: str, text: str = "", **more: str) -> Payload:
    """Type a command and return the form that opens."""
    bot.ana.command(command, text, **more)
    bot.settle()
    return list(bot.slack.workspace.views.values())[-1]


def with_more_options(bot: RunningBot, view: Payload) -> Payload:
    """Press "More options" in an open form, and return the form."""
    bot.ana.choose(view, "more", "shortlist_more_options")
    bot.settle()
    return bot.slack.workspace.views[view["id"]]


def launch(bot: RunningBot, view: Payload, *, by: Person | None = None, **values: Any) -> Payload:
    """Submit a form and confirm what it takes; returns the view that was confirmed."""
    person = by or bot.ana
    verdict = person.submit(view, **values)
    assert verdict.get("response_action") == "push", verdict
    if "submit" not in verdict["view"]:
        bot.settle()  # a busy machine takes longer than Slack waits: the view changes when it is done
    confirmed = bot.slack.workspace.views[verdict["view"]["id"]]
    person.submit(confirmed)
    bot.settle()
    return confirmed


def shown(message: Payload) -> str:
    """All that a message says."""
    return str(message["blocks"])


def recorded(executor: Executor) -> list[Future[None]]:
    """The work that Bolt hands to its pool. It does so before it answers the request."""
    work: list[Future[None]] = []
    submit = executor.submit

    def recording_submit(*arguments: Any, **more: Any) -> Future[None]:
        work.append(submit(*arguments, **more))
        return work[-1]

    executor.submit = recording_submit  # type: ignore[method-assign]
    return work


@dataclass
class Worker:
    """Does to a job what the worker would do, step by step."""

    surface: Surface
    job: Job
    _read: int = 0

    def move(self, *states: JobState, reason: Bilingual | None = None) -> None:
        queue = Queue(self.surface.engine)
        for state in states:
            assert queue.move(self.job.id, queue.job(self.job.id).state, state, reason)

    def tell(self, kind: EventKind, **data: Any) -> None:
        """Leave one event of the recipe."""
        queue = Queue(self.surface.engine)
        queue.append_events(self.job.id, [(kind, data)], read_from=self._read, read_to=self._read + 1)
        self._read += 1

    def succeed(self, result: dict[str, Any]) -> None:
        """Leave a result and end well. The job must be running."""
        folder = self.surface.jobs.folder(self.job.id)
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
        self.move("succeeded")


def candidate_row(quantization: str = "none", value: float = 0.84, **more: Any) -> dict[str, Any]:
    return {
        "model": MODEL, "quantization": quantization,
        "metrics": {"accuracy": {"value": value, "ci95": [value - 0.04, value + 0.04], "n": 412}},
        "tokens_per_s": 41.0, "latency_p50_s": 0.4, "latency_p95_s": 0.9, "peak_memory_gib": 0.6,
        "items_seen": 412, "stopped": "finished", "reason": None, **more,
    }  # fmt: skip


def evaluation_result(**more: Any) -> dict[str, Any]:
    comparison = {
        "a": "SmolLM2-135M-Instruct", "b": "SmolLM2-135M-Instruct int8", "metric": "accuracy",
        "difference": 0.05, "ci95": [0.02, 0.08], "p_value": 0.001, "method": "paired bootstrap",
    }  # fmt: skip
    return {
        "candidates": [candidate_row(value=0.86), candidate_row(quantization="int8", value=0.81)],
        "comparisons": [comparison], "winner": "SmolLM2-135M-Instruct", "verdict": "winner",
        "share_of_full_cost": 1.0, "dataset": {"name": "tickets", "sha256": "0" * 64, "rows": 412},
        "environment": {}, "report": None, **more,
    }  # fmt: skip
