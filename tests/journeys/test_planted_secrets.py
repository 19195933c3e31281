"""Tokens, words and rows that people gave, planted, and looked for where they have no business: the log at its most
talkative, the figures for monitoring, the audit trail, what jobs say while they run."""

from __future__ import annotations

import io
import json
import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.metrics import Metrics
from index import logs
from index.audit import Trail
from skills.chat_model import ConfiguredChat
from tests.journeys.test_slack_skills import real_surface
from tests.openai_server import openai_server
from tests.slack_bot import MODEL, RunningBot, launch, open_form, open_surface, running_bot
from tests.slack_person import chosen
from tests.slack_server import BOT_TOKEN, SIGNING_SECRET, SlackServer

WORDS = "plantedwords7431"
ROW = "plantedrow9086"
PLANTED = (WORDS, ROW, BOT_TOKEN, SIGNING_SECRET)
ROWS = "text,label\n" + "".join(f"{ROW} {n},{'billing' if n % 2 else 'refund'}\n" for n in range(20))


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, as a server would write it with the level at DEBUG."""
    written, root = io.StringIO(), logging.getLogger()
    before, level = root.handlers, root.level
    root.handlers = []
    logs.configure("DEBUG", "json", written)
    yield written
    root.handlers = before
    root.setLevel(level)


def found_in(text: str) -> list[str]:
    return [secret for secret in PLANTED if secret in text]


def busy_hour(bot: RunningBot) -> None:
    """Whatever people do in Slack: ask, follow up, order, paste, drop files, press, get it wrong."""
    question = bot.ana.mention(f"which model for support tickets about {WORDS}? 24 GB")
    bot.settle()
    bot.ana.say(f"and if {WORDS} were in French?", thread_ts=question["ts"])
    bot.ana.command("/shortlist", f"what is LoRA, {WORDS}?")
    bot.ana.command("/shortlist", f"defaults {WORDS}")
    bot.ana.mention(f"evaluate {WORDS}/model-7b on tickets")
    bot.ana.post_file("mine.csv", ROWS.encode())
    view = open_form(bot, "/evaluate", MODEL)
    bot.ana.choose(view, "dataset", dataset=chosen("paste"))
    bot.settle()
    pasted = bot.slack.workspace.views[view["id"]]
    bot.ana.submit(pasted, rows=f"{ROW} is no table")
    launch(bot, pasted, rows=ROWS)


def test_nothing_that_people_gave_is_in_the_log_the_figures_or_the_trail(
    tmp_path: Path, slack: SlackServer, log: io.StringIO
) -> None:
    surface = real_surface(tmp_path)
    with running_bot(surface, slack) as bot:
        busy_hour(bot)
        (job,) = surface.jobs.list()
        said = [event.data for event in surface.jobs.events_after(0, job.id)]
        figures = Metrics(surface.engine).text().decode()
        trail = Trail(surface.engine).newest(200)

    assert "turn answered" in log.getvalue()
    assert "job started from a form" in log.getvalue()
    assert found_in(log.getvalue()) == []
    assert found_in(figures) == []
    assert found_in(repr(trail)) == []
    assert found_in(json.dumps(said)) == []


def test_bug_that_quotes_what_was_asked_leaves_nothing_of_it_in_the_log(
    tmp_path: Path, slack: SlackServer, log: io.StringIO
) -> None:
    surface = open_surface(tmp_path, say=lambda turn: ValueError(f"cannot cope with {turn.text}"))
    with running_bot(surface, slack) as bot:
        bot.ana.mention(f"hello {WORDS}")
        bot.ana.command("/shortlist", WORDS)
        bot.settle()

    assert "ValueError" in log.getvalue()
    assert found_in(log.getvalue()) == []


def test_chat_server_that_repeats_the_key_and_the_prompt_is_logged_by_what_failed(
    tmp_path: Path, slack: SlackServer, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-5520")
    surface = real_surface(tmp_path)
    with openai_server() as server, running_bot(surface, slack) as bot:
        server.key = "another"
        assert surface.desk is not None
        surface.desk.chat_model = ConfiguredChat("openai:words", server.url, 5)
        bot.ana.mention(f"why can't I compare perplexity across models, {WORDS}?")
        bot.settle()

    assert {chat["key"] for chat in server.chats} == {"sk-planted-5520"}
    assert "AuthenticationError: status 401" in log.getvalue()
    assert "sk-planted-5520" not in log.getvalue()
    assert found_in(log.getvalue()) == []


def test_neither_words_nor_rows_nor_tokens_lie_in_files_that_are_not_meant_for_them(
    tmp_path: Path, slack: SlackServer
) -> None:
    with running_bot(real_surface(tmp_path), slack) as bot:
        busy_hour(bot)

    search = [
        "grep",
        "--recursive",
        "--text",
        "--files-with-matches",
        "-e",
        WORDS,
        "-e",
        ROW,
        "-e",
        BOT_TOKEN,
    ]
    done = subprocess.run([*search, str(tmp_path)], capture_output=True, text=True, check=False)
    places = {Path(line).relative_to(tmp_path).parts[0].partition("-wal")[0] for line in done.stdout.split()}
    assert places <= {"shortlist.db", "datasets"}, "docs/security.md says what is stored where"
