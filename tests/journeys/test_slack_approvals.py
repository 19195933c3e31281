"""Jobs above the limits: who is asked, who may answer, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.access import Limits
from bot.surface import Surface
from skills.conversation.request import Turn
from tests.slack_bot import (
    MODEL,
    answer_to,
    evaluation,
    launch,
    open_form,
    open_surface,
    running_bot,
    shown,
)
from tests.slack_person import Person
from tests.slack_server import SlackServer

HOSTED = "openai:gpt-4.1-mini"


def limited(home: Path, **more: object) -> Surface:
    """A team where Mira has to approve whatever costs more than a tenth of a cent."""
    values = {"approvers": frozenset({"U0MIRA"}), "limits": Limits(usd=0.001), **more}
    return open_surface(home, **values)  # type: ignore[arg-type]


def test_job_below_the_limit_starts_at_once(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(limited(tmp_path), slack) as bot:
        confirmed = launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        bot.settle()
        jobs = bot.surface.jobs.list()

    assert confirmed["submit"]["text"] == "Start"
    assert len(jobs) == 1


def test_job_above_the_limit_waits_until_it_is_approved(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(limited(tmp_path), slack) as bot:
        confirmed = launch(bot, open_form(bot, "/evaluate", f"{HOSTED} on tickets"), candidates=HOSTED)
        (question,) = bot.posts()
        asked, before = question["text"], bot.surface.jobs.list()
        Person(slack, bot.port, id="U0MIRA").press(question, "shortlist_approve")
        _, card = bot.posts()
        (job,) = bot.surface.jobs.list()

    assert confirmed["submit"]["text"] == "Ask to approve"
    assert "<@U0MIRA>" in str(confirmed["blocks"])
    assert before == []
    assert "It takes about 8 min, $0.03 at most; free are $0.001." in asked
    assert (job.owner, job.spec.candidates[0].model) == ("U0ANA", HOSTED)
    assert "name of U0MIRA approved" in shown(question)
    assert "shortlist_approve" not in shown(question)
    assert "*Evaluation #1*" in shown(card)


def test_declined_job_is_not_started_and_the_asker_is_told(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(limited(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{HOSTED} on tickets"), candidates=HOSTED)
        (question,) = bot.posts()
        mira = Person(slack, bot.port, id="U0MIRA")
        mira.press(question, "shortlist_decline")
        bot.settle()
        mira.press({**question, "blocks": slack.calls("chat.postMessage")[0]["blocks"]}, "shortlist_approve")
        told = bot.told()
        *_, refusal = bot.posts()
        jobs = bot.surface.jobs.list()

    assert jobs == []
    assert "<@U0ANA>" in shown(refusal)
    assert "has already declined" in told[-1]["text"]


def test_only_an_approver_may_approve(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(limited(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{HOSTED} on tickets"), candidates=HOSTED)
        (question,) = bot.posts()
        bot.ana.press(question, "shortlist_approve")
        (told,) = bot.told()
        jobs = bot.surface.jobs.list()

    assert "<@U0MIRA>" in told["text"]
    assert jobs == []


def test_approver_needs_nobodys_leave(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(limited(tmp_path, approvers=frozenset({"U0ANA"})), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{HOSTED} on tickets"), candidates=HOSTED)
        bot.settle()
        jobs = bot.surface.jobs.list()

    assert len(jobs) == 1


def test_question_waits_over_a_restart(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(limited(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{HOSTED} on tickets"), candidates=HOSTED)
        (question,) = bot.posts()
    with running_bot(limited(tmp_path), slack) as bot:
        mira = Person(slack, bot.port, id="U0MIRA")
        mira.press(question, "shortlist_approve")
        mira.press(question, "shortlist_approve")
        bot.settle()
        jobs = bot.surface.jobs.list()

    assert len(jobs) == 1


def test_sentence_that_starts_a_job_above_the_limit_asks_as_well(
    tmp_path: Path, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    surface = limited(tmp_path)

    def start(turn: Turn) -> object:
        candidate = {"model": HOSTED}
        data = surface.jobs.register_dataset("tickets")
        spec = type(evaluation()).model_validate({"candidates": [candidate], "dataset": data})
        surface.jobs.submit(spec, dedupe_key=f"turn:{turn.key}", owner=turn.person, thread=turn.thread)
        return answer_to(turn, text="never said")

    monkeypatch.setattr(surface.reply, "say", start)
    with running_bot(surface, slack) as bot:
        bot.ana.mention("evaluate gpt-4.1-mini on tickets")
        posts = bot.posts()
        jobs = bot.surface.jobs.list()

    assert jobs == []
    assert any("I asked <@U0MIRA>" in shown(post) for post in posts)
    assert any("shortlist_approve" in shown(post) for post in posts)


def test_asking_in_a_direct_message_reaches_the_approver_directly(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(limited(tmp_path), slack) as bot:
        view = open_form(bot, "/evaluate", f"{HOSTED} on tickets", channel="D0ANA")
        launch(bot, view, candidates=HOSTED)
        posts = bot.posts()

    assert [post["channel"] for post in posts if "shortlist_approve" in shown(post)] == ["D0MIRA"]
