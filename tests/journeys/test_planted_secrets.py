"""Errors that quote what people gave: a bug of ours, a chat server's. The log says what failed, and none of it."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from index import logs
from skills.chat_model import ConfiguredChat
from tests.journeys.test_slack_skills import real_surface
from tests.openai_server import openai_server
from tests.slack_bot import open_surface, running_bot
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
