"""Secrets, words and rows are planted on real paths; then everything that is written about them is searched."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.access import Access
from bot.app import build_desk
from bot.metrics import Metrics
from bot.settings import Settings
from bot.slack import surface_of
from finetune.jobs import Jobs
from index.logs import JsonLines, TextLines, _is_wanted
from index.schema import audit, job_events, measurements
from index.store import sqlite_url
from tests.finetune import tiny_worker
from tests.journeys.test_slack_data import options
from tests.journeys.test_slack_workspaces import TOKEN, get, install
from tests.journeys.test_slack_workspaces import open_bot as open_for_workspaces
from tests.openai_server import Server, openai_server
from tests.slack_bot import MODEL, launch, open_form, open_surface, running_bot
from tests.slack_person import chosen
from tests.slack_server import BOT_TOKEN, SIGNING_SECRET, SlackServer

WORD, ROW, UPLOADED, KEY, SAID = "kumquat7731", "rambutan8842", "durian9953", "sk-planted-1064", "salak2175"
SECRETS = (WORD, ROW, UPLOADED, KEY, SAID, TOKEN, BOT_TOKEN, SIGNING_SECRET, "hush")


class Written:
    """All that is logged, as either of our formats has it at its lowest level."""

    def __init__(self) -> None:
        self._streams = (io.StringIO(), io.StringIO())
        self.handlers = []
        for stream, formatter in zip(self._streams, (TextLines(), JsonLines()), strict=True):
            handler = logging.StreamHandler(stream)
            handler.setFormatter(formatter)
            handler.addFilter(_is_wanted)
            self.handlers.append(handler)

    @property
    def text(self) -> str:
        return "".join(stream.getvalue() for stream in self._streams)


@pytest.fixture
def log() -> Iterator[Written]:
    written, root = Written(), logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.handlers += written.handlers
    yield written
    root.setLevel(level)
    root.handlers = [handler for handler in root.handlers if handler not in written.handlers]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with openai_server() as server:
        yield server


def table(word: str) -> str:
    return "text,label\n" + "".join(f"{word} question {n},{'ab'[n % 2]}\n" for n in range(20))


def run_jobs(home: Path) -> None:
    """The real worker, with a recipe that fails."""
    command = [sys.executable, tiny_worker.__file__, "--home", str(home), "--database-url", sqlite_url(home)]
    environment = {**os.environ, "SLACK_BOT_TOKEN": BOT_TOKEN, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([*command, "--until-idle", "0.1"], env=environment, check=True, capture_output=True)


def outside_their_places(home: Path) -> list[str]:
    """Files that hold something planted, but for those that are there to hold it: docs/security.md lists them."""
    # A process of its own looks: closing the store's file here would drop SQLite's locks on it.
    patterns = [part for secret in SECRETS for part in ("-e", secret)]
    search = ["grep", "--recursive", "--text", "--files-with-matches", *patterns, str(home)]
    found = subprocess.run(search, capture_output=True, text=True, check=False).stdout.splitlines()
    kept = (str(home / "datasets"), str(home / "shortlist.db"))
    return [path for path in found if not path.startswith(kept)]


def test_what_was_planted_is_in_no_log_event_figure_or_audit_row(
    tmp_path: Path, slack: SlackServer, log: Written, api: Server
) -> None:
    api.fails = [(500, {}), (401, {})] * 4
    api.error_code = SAID
    settings = Settings(home=tmp_path, chat_model="openai:words", chat_base_url=api.url, _env_file=None)
    desk = build_desk(settings)
    without_worker = Jobs(desk.engine, home=tmp_path, database_url=sqlite_url(tmp_path), worker_command=None)
    desk = replace(desk, jobs=without_worker)  # the worker of this test is the only one
    surface = surface_of(desk, Access(frozenset({"*"})))
    with running_bot(surface, slack) as bot:
        bot.ana.mention(f"why can't I compare perplexity across models? {WORD}")
        bot.ana.mention(f"评测 {WORD} 和 {KEY}")
        bot.ana.command("/shortlist", f"compare Qwen3-8B with {WORD}")
        bot.settle()
        bot.ana.post_file("crash.csv", table(UPLOADED).encode())
        view = open_form(bot, "/evaluate", MODEL)
        launch(bot, view, dataset=chosen(options(view)["crash.csv"]))
        view = open_form(bot, "/finetune", MODEL)
        bot.ana.choose(view, "dataset", dataset=chosen("paste"))
        bot.settle()
        launch(bot, slack.workspace.views[view["id"]], rows=table(ROW))
        bot.settle()
        jobs = surface.jobs.list()
        run_jobs(tmp_path)
        state = surface.jobs.status("1").state
        surface.cards.tick(bot.app.client)
        figures = Metrics(desk.engine).text()
        with desk.engine.connect() as connection:
            tables = {
                one.name: str(connection.execute(select(one)).all())
                for one in (audit, job_events, measurements)
            }

    assert len(jobs) == 2
    assert state == "failed"
    assert api.chats, "the chat model was never asked"
    assert "answered without the chat model" in log.text
    written = {"log": log.text, "metrics": str(figures), **tables}
    assert [(name, secret) for name, text in written.items() for secret in SECRETS if secret in text] == []
    assert outside_their_places(tmp_path) == []


def test_installation_logs_neither_tokens_nor_the_secret_of_the_app(
    tmp_path: Path, slack: SlackServer, log: Written
) -> None:
    with open_for_workspaces(open_surface(tmp_path), slack) as bot:
        install(bot, slack)
        get(bot.port, f"/slack/oauth_redirect?code={KEY}&state={WORD}")
        bot.ana.mention(f"which model for {WORD}?")
        bot.settle()

    assert [secret for secret in SECRETS if secret in log.text] == []
    assert outside_their_places(tmp_path) == []


def test_doctor_names_what_is_set_and_shows_no_value(tmp_path: Path, slack: SlackServer) -> None:
    environment = {
        **os.environ, "SHORTLIST_HOME": str(tmp_path), "SLACK_API_URL": slack.url, "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_SIGNING_SECRET": SIGNING_SECRET, "OPENAI_API_KEY": KEY, "SHORTLIST_CHAT_MODEL": "openai:words",
        "SHORTLIST_CHAT_BASE_URL": "http://127.0.0.1:9/v1", "SHORTLIST_LOG_LEVEL": "DEBUG",
        "SHORTLIST_TOKEN_KEY": WORD,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "bot", "doctor", "--json"], env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip

    assert "SLACK_BOT_TOKEN" in done.stdout or "Slack" in done.stdout
    assert [secret for secret in SECRETS if secret in done.stdout + done.stderr] == []
    assert outside_their_places(tmp_path) == []
