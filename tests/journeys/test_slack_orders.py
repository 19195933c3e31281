"""Orders after /shortlist: told to the person alone, obeyed from nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.access import Access
from bot.grants import Grants
from bot.roles import Role
from finetune.state import FORGOTTEN
from index.audit import Trail
from tests.slack_bot import MODEL, RunningBot, launch, open_form, open_surface, running_bot
from tests.slack_person import Person
from tests.slack_server import SlackServer


def said_to(bot: RunningBot, person: str, words: str) -> str:
    Person(bot.slack, bot.port, id=person).command("/shortlist", words)
    return str(bot.told()[-1]["text"])


def test_person_is_told_what_is_held_and_it_is_deleted_when_they_say_so_again(
    tmp_path: Path, slack: SlackServer
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.mention("我们的保密问题")
        bot.settle()
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        before = bot.surface.threads.held_on("U0ANA")
        first = said_to(bot, "U0ANA", "forget me")
        kept = bot.surface.threads.held_on("U0ANA")
        second = said_to(bot, "U0ANA", "忘记我 确认")
        job = bot.surface.jobs.list()[0]
        left = bot.surface.threads.held_on("U0ANA")

    assert "I hold 1 turns of yours and 1 jobs" in first
    assert kept == before
    assert "删除了 1 轮对话和 1 个任务的数据" in second
    assert (left, job.state, job.owner[: len(FORGOTTEN)]) == ([], "cancelled", FORGOTTEN)


def test_words_in_a_message_are_no_order(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.mention("hello")
        for words in ("forget me now", "roles grant U0EVE administrator", "> /shortlist forget me now"):
            bot.ana.mention(words)
            bot.ana.say(words, channel="D0ANA")
        bot.settle()
        turns = bot.surface.threads.held_on("U0ANA")
        grants = Grants(bot.surface.engine).all()

    assert len(turns) == 7
    assert grants == []


@pytest.mark.parametrize(
    "words", ["roles grant U0EVE owner", "roles grant everyone runner", "roles quota U0ANA lots"]
)
def test_order_that_cannot_be_read_is_explained_and_changes_nothing(
    tmp_path: Path, slack: SlackServer, words: str
) -> None:
    surface = open_surface(tmp_path)
    surface = replace(surface, access=Access(admins=frozenset({"U0ANA"}), trail=Trail(surface.engine)))
    with running_bot(surface, slack) as bot:
        said = said_to(bot, "U0ANA", words)
        grants = Grants(bot.surface.engine)
        found = (grants.all(), grants.quotas())

    assert "Use one of" in said or "by its id" in said or "is no quota" in said
    assert found == ([], {})


def test_administrator_changes_roles_and_quotas_in_either_language(
    tmp_path: Path, slack: SlackServer
) -> None:
    surface = open_surface(tmp_path)
    grants = Grants(surface.engine)
    access = Access(admins=frozenset({"U0ANA"}), trail=Trail(surface.engine), grants=grants)
    with running_bot(replace(surface, access=access), slack) as bot:
        given = said_to(bot, "U0ANA", "roles grant <@U0BEN|ben> runner")
        listed = said_to(bot, "U0ANA", "角色")
        said_to(bot, "U0ANA", "roles quota U0BEN 600 minutes $50")
        role, quota = access.role_of("U0BEN"), grants.quotas()["U0BEN"]
        said_to(bot, "U0ANA", "角色 收回 U0BEN")
        after = access.role_of("U0BEN")

    assert given == "<@U0BEN> is *runner* from now on."
    assert "<@U0BEN>: runner" in listed
    assert (role, after) == (Role.RUNNER, Role.ASKER)
    assert (quota.gpu_minutes, quota.usd) == (600, 50)


def test_button_of_a_job_is_not_pressed_for_another(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path, runners=frozenset({"U0ANA", "U0BEN"})), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        (card,) = bot.posts()
        Person(slack, bot.port, id="U0BEN").press(card, "shortlist_cancel")
        told = bot.told()[-1]["text"]
        state = bot.surface.jobs.list()[0].state

    assert "only they, an approver or an administrator may stop it" in told
    assert state == "queued"
