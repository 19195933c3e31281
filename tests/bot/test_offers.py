"""A conversation in the terminal: what an answer offers to do with a job, and the yes to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

import bot.conversation
import bot.terminal
from bot.app import build_desk
from bot.console import Output
from bot.offers import is_accepted
from bot.settings import Settings
from finetune.jobs import Jobs
from index.schema import jobs as jobs_table
from skills.desk import Desk
from tests.finetune.test_jobs import evaluation


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A failed job of Bo's, and no worker: jobs that are started wait, and are not waited for."""
    made = build_desk(Settings(home=tmp_path, slack_bot_token=None))
    made.jobs = Jobs(
        made.engine, home=tmp_path, database_url=made.engine.url.render_as_string(), worker_command=None
    )
    made.jobs.submit(evaluation(), dedupe_key="first", owner="bo")
    with made.engine.begin() as connection:
        connection.execute(update(jobs_table).values(state="failed"))
    monkeypatch.setenv("SHORTLIST_HOME", str(tmp_path))
    monkeypatch.setattr(bot.terminal, "build_desk", lambda _settings: made)
    monkeypatch.setattr(bot.conversation, "follow", lambda *_: None)
    return made


def say(*lines: str) -> None:
    bot.conversation.converse(thread="t", person="ana", output=Output(json=False), lines=lines)


@pytest.mark.parametrize(
    ("order", "yes", "told"),
    [("retry job 1", "yes", "“Run job 1 again”: say yes"), ("重跑任务 1", "好的", "“重跑任务 1”：回复“好”")],
)
def test_a_yes_in_the_terminal_does_what_was_offered_in_the_name_of_who_said_it(
    desk: Desk, capsys: pytest.CaptureFixture[str], order: str, yes: str, told: str
) -> None:
    say(order, yes)

    again, first = desk.jobs.list()
    assert told in capsys.readouterr().out
    assert (again.owner, again.spec, first.owner) == ("ana", first.spec, "bo")


def test_a_job_is_reproduced_by_asking_its_models_anew(desk: Desk) -> None:
    say("reproduce job 1", "yes")

    again, first = desk.jobs.list()
    assert again.spec == first.spec.model_copy(update={"fresh": True})


def test_what_was_offered_before_another_question_is_off_the_table(desk: Desk) -> None:
    say("retry job 1", "how is job 1 doing?", "yes")

    assert len(desk.jobs.list()) == 1


@pytest.mark.parametrize(("line", "expected"), [("Yes!", True), ("好。", True), ("no", False), ("", False)])
def test_a_yes_is_a_yes(line: str, expected: bool) -> None:
    assert is_accepted(line) is expected
