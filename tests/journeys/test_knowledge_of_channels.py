"""A document that is for one channel, asked for from everywhere in Slack: answers, citations, the thread's memory."""

from __future__ import annotations

from pathlib import Path

from bot.access import Access
from bot.app import build_desk
from bot.settings import Settings
from bot.slack import surface_of
from finetune.jobs import Jobs
from tests.slack_bot import running_bot, shown
from tests.slack_server import SlackServer

QUESTION = "When does the cafeteria of the Lyon office open?"
NOTE = "# Cafeteria of the Lyon office\n\nThe cafeteria of the Lyon office opens at seven and closes at eleven.\n"


def test_only_the_channel_is_answered_from_its_document(tmp_path: Path, slack: SlackServer) -> None:
    note = tmp_path / "lyon.md"
    note.write_text(NOTE, encoding="utf-8")
    settings = Settings(home=tmp_path / "home", _env_file=None)
    desk = build_desk(settings)
    desk.jobs = Jobs(desk.engine, home=settings.folder, database_url=settings.store_url, worker_command=None)
    desk.knowledge.add([note], channels=frozenset({"C0LYON"}))

    with running_bot(surface_of(desk, Access()), slack) as bot:
        for channel in ("C0TEAM", "D0ANA", "C0LYON"):
            (bot.ana.say if channel[0] == "D" else bot.ana.mention)(QUESTION, channel=channel)
            bot.settle()
        bot.ana.command("/shortlist", QUESTION, channel="C0TEAM")
        outside = [shown(post) for post in bot.posts() if post["channel"] != "C0LYON"]
        inside = [shown(post) for post in bot.posts() if post["channel"] == "C0LYON"]

    assert len(outside) == 3
    assert not any("seven" in post or "lyon.md" in post for post in outside)
    assert any("seven" in post for post in inside)
