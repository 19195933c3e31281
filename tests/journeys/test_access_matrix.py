"""Role x action x surface: what each role may do, from everywhere that it can be done. What counts is what happened
to the store, not what was said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner

from bot.access import Access, NotAllowed
from bot.app import build_desk
from bot.cli import app as command_line
from bot.grants import Grants
from bot.guard import NobodyAsks
from bot.roles import Role
from bot.settings import Settings
from bot.slack import surface_of
from bot.surface import Surface
from bot.terminal import login_name
from finetune.jobs import Jobs
from finetune.queue import Queue
from index.audit import Trail
from index.caller import Caller, calling
from skills.conversation.request import Turn
from tests.slack_bot import MODEL, RunningBot, evaluation, running_bot, tuning
from tests.slack_person import Person
from tests.slack_server import SlackServer

PEOPLE = {"U0ASK": Role.ASKER, "U0RUN": Role.RUNNER, "U0APP": Role.APPROVER, "U0ADM": Role.ADMINISTRATOR}
OTHER = "U0OTHER"
ORDER = "evaluate SmolLM2-135M-Instruct on tickets with int8, 64 rows"


@dataclass
class House:
    """A running bot, and what can be done to it."""

    bot: RunningBot
    home: Path
    shell: CliRunner = field(default_factory=CliRunner)

    @property
    def surface(self) -> Surface:
        return self.bot.surface

    def person(self, name: str) -> Person:
        return Person(self.bot.slack, self.bot.port, id=name)

    def job(self, owner: str) -> str:
        """A job of somebody that waits, however it came to be."""
        spec = evaluation()
        queue = Queue(self.surface.engine)
        key = f"given:{owner}:{len(self.surface.jobs.list(limit=1000))}"
        return queue.insert_or_get(spec, dedupe_key=key, owner=owner, thread=None).id

    def n_jobs(self) -> int:
        return len(self.surface.jobs.list(limit=1000))

    def state(self, job_id: str) -> str:
        return self.surface.jobs.status(job_id).state

    def type(self, *words: str) -> None:
        """Type a command at a terminal that goes by the rules."""
        environment = {
            "SHORTLIST_HOME": str(self.home), "SHORTLIST_TERMINAL": "rules", "SHORTLIST_RUNNERS": "",
            "SHORTLIST_ADMINS": "U0ADM",
        }  # fmt: skip
        copy_context().run(self.shell.invoke, command_line, list(words), env=environment)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home = tmp_path_factory.mktemp("house")
    settings = Settings(home=home, _env_file=None)
    desk = build_desk(settings)
    desk.jobs = Jobs(desk.engine, home=home, database_url=settings.store_url, worker_command=None)
    grants = Grants(desk.engine)
    for person, role in PEOPLE.items():
        grants.give(person, role, by="os:test")
    access = Access(admins=frozenset({"U0ADM"}), grants=grants, trail=Trail(desk.engine))
    slack = SlackServer()
    with running_bot(surface_of(desk, access), slack) as bot:
        yield House(bot, home)
    slack.close()


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands see to it that there is a worker, which this test has no use for."""
    monkeypatch.setattr(Jobs, "ensure_worker", lambda _self: None)


Attempt = Callable[[House, str], bool]
"""Somebody tries something; whether it came about."""


def in_words(text: str) -> Attempt:
    def attempt(house: House, person: str) -> bool:
        before = house.n_jobs()
        house.person(person).mention(text)
        house.bot.settle()
        return house.n_jobs() > before

    return attempt


def in_a_direct_message(house: House, person: str) -> bool:
    before = house.n_jobs()
    house.person(person).say(ORDER, channel="D0ANA")
    house.bot.settle()
    return house.n_jobs() > before


def by_command(house: House, person: str) -> bool:
    before = house.n_jobs()
    house.person(person).command("/shortlist", ORDER)
    house.bot.settle()
    return house.n_jobs() > before


def opens_form(command: str) -> Attempt:
    def attempt(house: House, person: str) -> bool:
        before = len(house.bot.slack.workspace.views)
        house.person(person).command(command, f"{MODEL} on tickets")
        house.bot.settle()
        return len(house.bot.slack.workspace.views) > before

    return attempt


def submits_form_of_earlier(house: House, person: str) -> bool:
    """The form was opened when the person might; what counts is whether they may now."""
    grants = Grants(house.surface.engine)
    grants.give(person, Role.ADMINISTRATOR, by="os:test")
    house.person(person).command("/evaluate", f"{MODEL} on tickets")
    house.bot.settle()
    view = list(house.bot.slack.workspace.views.values())[-1]
    grants.give(person, PEOPLE[person], by="os:test")
    before = house.n_jobs()
    verdict = house.person(person).submit(view)
    house.bot.settle()
    estimate = house.bot.slack.workspace.views[verdict["view"]["id"]]
    if "submit" in estimate:
        house.person(person).submit(estimate)
    house.bot.settle()
    return house.n_jobs() > before


def presses(action: str, owner: str | None, came_about: Callable[[House, str, int], bool]) -> Attempt:
    """Press a button of a card that has been there for long. `owner` None: the person's own job."""

    def attempt(house: House, person: str) -> bool:
        job_id = house.job(owner or person)
        if action == "retry":
            Queue(house.surface.engine).move(job_id, "queued", "cancelled")
        before = house.n_jobs()
        label = {"type": "plain_text", "text": "Stop"}
        value = f'{{"job_id": "{job_id}"}}'
        message = {
            "ts": "1.1", "channel": "C0TEAM",
            "blocks": [{"elements": [{
                "type": "button", "action_id": f"shortlist_{action}", "text": label, "value": value,
            }]}],
        }  # fmt: skip
        house.person(person).press(message, f"shortlist_{action}")
        house.bot.settle()
        return came_about(house, job_id, before)

    return attempt


def was_stopped(house: House, job_id: str, _before: int) -> bool:
    return house.state(job_id) == "cancelled"


def was_added(house: House, _job_id: str, before: int) -> bool:
    return house.n_jobs() > before


def orders(text: str, owner: str | None, came_about: Callable[[House, str, int], bool]) -> Attempt:
    """Order something of a job in words."""

    def attempt(house: House, person: str) -> bool:
        job_id = house.job(owner or person)
        before = house.n_jobs()
        house.person(person).mention(text.format(job_id=job_id))
        house.bot.settle()
        return came_about(house, job_id, before)

    return attempt


def was_put_first(house: House, job_id: str, _before: int) -> bool:
    return house.surface.jobs.status(job_id).priority == 1


def changes_roles(house: House, person: str) -> bool:
    grants = Grants(house.surface.engine)
    grants.take(OTHER)
    house.person(person).command("/shortlist", f"roles grant {OTHER} runner")
    house.bot.settle()
    return grants.take(OTHER)


def types(words: str, owner: str | None, came_about: Callable[[House, str, int], bool]) -> Attempt:
    """Type a command at a shared terminal, with the person's role."""

    def attempt(house: House, person: str) -> bool:
        me = f"os:{login_name()}"
        Grants(house.surface.engine).give(me, PEOPLE[person], by="os:test")
        job_id = house.job(owner or me)
        if words.startswith("jobs retry"):
            Queue(house.surface.engine).move(job_id, "queued", "cancelled")
        before = house.n_jobs()
        house.type(*(word.replace("_", " ") for word in words.format(job_id=job_id).split()))
        return came_about(house, job_id, before)

    return attempt


def was_granted(house: House, _job_id: str, _before: int) -> bool:
    return Grants(house.surface.engine).take(OTHER)


def adds_document(house: House, person: str) -> bool:
    note = house.home / f"note-{person}.md"
    note.write_text(
        f"# Cafeteria of {person}\n\nThe soup of {person} is free on Fridays.\n", encoding="utf-8"
    )
    known = house.home / "index" / "library.db"

    def is_in(_house: House, _job_id: str, _before: int) -> bool:
        return known.exists() and person.encode() in known.read_bytes() + _wal(known)

    return types(f"index add {note}", None, is_in)(house, person)


def _wal(path: Path) -> bytes:
    wal = path.with_name(path.name + "-wal")
    return wal.read_bytes() if wal.exists() else b""


MATRIX: list[tuple[str, Attempt, Role]] = [
    ("launch by mention", in_words(ORDER), Role.RUNNER),
    ("launch by mention in Chinese", in_words("请用 int8 在 tickets 上评测 SmolLM2-135M-Instruct"), Role.RUNNER),
    ("launch a fine-tune by mention", in_words("fine-tune SmolLM2-135M-Instruct on tickets"), Role.RUNNER),
    ("launch by direct message", in_a_direct_message, Role.RUNNER),
    ("launch by command", by_command, Role.RUNNER),
    ("open the form of an evaluation", opens_form("/evaluate"), Role.RUNNER),
    ("open the form of a fine-tune", opens_form("/finetune"), Role.RUNNER),
    ("launch by a form opened earlier", submits_form_of_earlier, Role.RUNNER),
    ("stop one's own job by button", presses("cancel", None, was_stopped), Role.ASKER),
    ("stop another's job by button", presses("cancel", OTHER, was_stopped), Role.APPROVER),
    ("retry one's own job by button", presses("retry", None, was_added), Role.RUNNER),
    ("run another's spec as one's own job by button", presses("retry", OTHER, was_added), Role.RUNNER),
    ("stop one's own job in words", orders("cancel job {job_id}", None, was_stopped), Role.ASKER),
    ("stop another's job in words", orders("cancel job {job_id}", OTHER, was_stopped), Role.APPROVER),
    ("put a job first in words", orders("prioritise job {job_id}", None, was_put_first), Role.ADMINISTRATOR),
    ("change roles by command", changes_roles, Role.ADMINISTRATOR),
    ("retry one's own job at a terminal", types("jobs retry {job_id}", None, was_added), Role.RUNNER),
    ("retry another's job at a terminal", types("jobs retry {job_id}", OTHER, was_added), Role.APPROVER),
    ("repeat another's job at a terminal", types("jobs repeat {job_id}", OTHER, was_added), Role.APPROVER),
    ("stop one's own job at a terminal", types("jobs cancel {job_id}", None, was_stopped), Role.ASKER),
    ("stop another's job at a terminal", types("jobs cancel {job_id}", OTHER, was_stopped), Role.APPROVER),
    ("put a job first at a terminal", types("jobs priority {job_id} high", None, was_put_first), Role.ADMINISTRATOR),
    ("launch in words at a terminal", types("ask evaluate_SmolLM2-135M-Instruct_on_tickets", None, was_added), Role.RUNNER),
    ("launch at a terminal", types(f"evaluate --model {MODEL} --dataset tickets --limit 64", None, was_added), Role.RUNNER),
    ("change roles at a terminal", types(f"access grant {OTHER} runner", None, was_granted), Role.ADMINISTRATOR),
    ("add a document at a terminal", adds_document, Role.APPROVER),
]  # fmt: skip


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize(
    ("attempt", "needed"), [(a, r) for _, a, r in MATRIX], ids=[name for name, *_ in MATRIX]
)
def test_each_role_does_what_it_may_from_everywhere_and_nothing_else(
    house: House, attempt: Attempt, needed: Role, person: str
) -> None:
    assert attempt(house, person) is (PEOPLE[person] >= needed)


@pytest.mark.parametrize("person", PEOPLE)
def test_everybody_may_ask(house: House, person: str) -> None:
    said = house.person(person).mention("What does int8 cost in quality?")
    house.bot.settle()
    replies = [m for m in house.bot.posts() if m.get("thread_ts") == said["ts"]]

    assert replies
    assert "role" not in replies[0]["text"]


def test_every_decision_is_in_the_trail_under_its_request(house: House) -> None:
    trail = Trail(house.surface.engine)
    house.person("U0ASK").mention(ORDER)
    house.person("U0RUN").mention(ORDER)
    house.bot.settle()
    launched = house.surface.jobs.list(limit=1)[0]

    rows = {
        row.person: row for row in trail.newest(20) if row.action == "launch" and row.surface == "mention"
    }
    assert (rows["U0ASK"].decision, rows["U0ASK"].reason) == ("denied", "role")
    assert rows["U0RUN"].decision == "allowed"
    assert rows["U0RUN"].channel == "C0TEAM"
    assert rows["U0RUN"].request_id == launched.request_id
    assert trail.verify().is_whole


def test_refusal_is_kind_says_why_and_whom_to_ask_in_both_languages(house: House) -> None:
    for order, why in (
        (ORDER, "needs the *runner* role"),
        ("请用 int8 在 tickets 上评测 SmolLM2-135M-Instruct", "需要 *runner* 角色"),
    ):
        said = house.person("U0ASK").mention(order)
        house.bot.settle()
        (reply,) = [m for m in house.bot.posts() if m.get("thread_ts") == said["ts"]]
        assert why in reply["text"]
        assert "<@U0ADM>" in reply["text"]


def test_work_for_which_nobody_asked_starts_nothing(house: House) -> None:
    before = house.n_jobs()
    for spec in (evaluation(), tuning()):
        with calling(None), pytest.raises(NobodyAsks):
            house.surface.jobs.submit(spec, dedupe_key="orphan", owner="U0ADM")
    assert house.n_jobs() == before


@pytest.mark.parametrize(("person", "is_launched"), [("U0ASK", False), ("U0RUN", True)])
def test_turn_that_is_taken_up_by_another_thread_goes_by_the_role_of_whoever_said_it(
    house: House, person: str, is_launched: bool
) -> None:
    before = house.n_jobs()
    said: list[object] = []
    turn = Turn(text=ORDER, thread="T0TEAM:C0TEAM:9.9", person=person, key=f"late:{person}")

    def take_up() -> None:
        try:
            said.append(house.surface.reply(turn))
        except NotAllowed as refusal:
            said.append(refusal)

    thread = Thread(target=take_up)
    thread.start()
    thread.join()

    assert house.n_jobs() == before + is_launched
    assert isinstance(said[0], NotAllowed) is not is_launched


def test_name_of_another_is_not_borrowed(house: House) -> None:
    with calling(Caller(person="U0RUN", surface="form")), pytest.raises(Exception, match="approver"):
        house.surface.jobs.submit(evaluation(), dedupe_key="borrowed", owner="U0ADM")
