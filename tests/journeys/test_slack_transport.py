"""Between Slack and the bot: tokens, signatures, ports, limits, Socket Mode."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest
from slack_bolt import App

from bot.slack import Credentials, build_bolt_app, serve_http, serve_socket
from index.errors import BadInput, Unavailable
from tests.slack_bot import open_surface, running_bot
from tests.slack_person import Person, signature
from tests.slack_server import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, SlackServer
from tests.slack_socket import SlackSocket


def build(home: Path, **credentials: str | None) -> App:
    surface = open_surface(home)
    try:
        return build_bolt_app(Credentials(**{"bot_token": BOT_TOKEN, **credentials}), surface)  # type: ignore[arg-type]
    finally:
        surface.engine.dispose()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_serve_command_answers_until_it_is_told_to_end(tmp_path: Path, slack: SlackServer) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "SHORTLIST_HOME": str(tmp_path),
        "SLACK_API_URL": slack.url,
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_SIGNING_SECRET": SIGNING_SECRET,
    }
    command = [sys.executable, "-m", "bot", "serve", "--http", "--port", "0"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as bot:
        connected = bot.stderr.readline()
        port = int(re.search(r"port (\d+)", connected)[1])
        ana = Person(slack, port)
        ana.mention("help")
        (answer,) = slack.wait_for("chat.postMessage")
        bot.terminate()

    assert "Acme as @shortlist" in connected
    assert answer["blocks"][0]["type"] == "markdown"
    assert bot.returncode == 0


def test_token_that_slack_refuses_is_named(tmp_path: Path, slack: SlackServer) -> None:
    with pytest.raises(Unavailable) as error:
        build(tmp_path, bot_token="xoxb-old", api_url=slack.url)

    assert "SLACK_BOT_TOKEN (invalid_auth)" in error.value.to("en")
    assert "SLACK_BOT_TOKEN" in error.value.to("zh")


def test_slack_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"does not answer at http://127\.0\.0\.1"):
        build(tmp_path, api_url=f"http://127.0.0.1:{free_port()}/api/")


def test_app_token_that_slack_refuses_is_named(tmp_path: Path, slack: SlackServer) -> None:
    app = build(tmp_path, api_url=slack.url)

    with pytest.raises(Unavailable, match="SLACK_APP_TOKEN"), serve_socket(app, "xapp-old"):
        pass


def test_port_that_is_taken_is_told(tmp_path: Path, slack: SlackServer) -> None:
    with (
        running_bot(open_surface(tmp_path), slack) as bot,
        pytest.raises(BadInput, match=f"Port {bot.port} cannot be used"),
        serve_http(bot.app, bot.port),
    ):
        pass


def test_without_a_signing_secret_no_http_request_is_believed(tmp_path: Path, slack: SlackServer) -> None:
    app = build(tmp_path, signing_secret=None, api_url=slack.url)

    with serve_http(app, port=0) as server:
        nobody = Person(slack, server.port, secret="")
        status = nobody.deliver(nobody.write("hello", "D0ANA"))

    assert status == 401


def test_forged_signature_is_refused(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        forger = Person(slack, bot.port, secret="guessed")
        status = forger.deliver(forger.write("which model?", "D0ANA"))
        bot.settle()

    assert status == 401
    assert bot.turns == []


@pytest.mark.parametrize("body", ["\0", "{", "[]", '"a"', '{"team_id": "\\ud800", "event": {}}'])
def test_what_is_no_request_of_slacks_is_refused_and_the_next_is_answered(
    tmp_path: Path, slack: SlackServer, body: str
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        unsigned = {"X-Slack-Request-Timestamp": str(int(time.time())), "X-Slack-Signature": "v0=0"}
        statuses = [bot.ana.post(body, "application/json", sent)[0] for sent in (unsigned, None)]
        bot.ana.mention("which model?")
        answers = bot.posts()

    assert all(400 <= status < 500 for status in statuses), statuses
    assert len(answers) == 1


def test_request_replayed_after_five_minutes_is_refused(tmp_path: Path, slack: SlackServer) -> None:
    body = json.dumps({"type": "event_callback", "event": {"type": "message"}})
    old = signature(SIGNING_SECRET, body, timestamp=int(time.time()) - 301)

    with running_bot(open_surface(tmp_path), slack) as bot:
        status, _ = bot.ana.post(body, "application/json", old)

    assert status == 401


def test_other_paths_are_not_found(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        connection = HTTPConnection("127.0.0.1", bot.port)
        connection.request("POST", "/", b"{}")
        status = connection.getresponse().status
        connection.close()

    assert status == 404


@pytest.mark.parametrize(("length", "status"), [("", 411), ("many", 411), ("3000000", 413)])
def test_body_of_a_size_that_is_not_slacks_is_not_read(
    tmp_path: Path, slack: SlackServer, length: str, status: int
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        connection = HTTPConnection("127.0.0.1", bot.port)
        connection.putrequest("POST", "/slack/events")
        connection.putheader("Content-Length", length)
        connection.endheaders()
        answered = connection.getresponse().status
        connection.close()

    assert answered == status


def test_socket_mode_answers_and_acknowledges_like_http(tmp_path: Path, slack: SlackServer) -> None:
    link = SlackSocket()
    slack.workspace.socket_url = link.url

    with running_bot(open_surface(tmp_path), slack) as bot, serve_socket(bot.app, APP_TOKEN):
        link.deliver(bot.ana.write("which model?", "D0ANA"), envelope_id="E1")
        acknowledged = link.acknowledged()
        (answer,) = bot.posts()
    link.close()

    assert acknowledged == "E1"
    assert answer["text"] == "You asked: which model?"


def test_rate_limited_answer_is_posted_in_the_end(tmp_path: Path, slack: SlackServer) -> None:
    slack.workspace.rate_limits["chat.postMessage"] = 1

    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.mention("which model?")
        answers = bot.posts()

    assert len(answers) == 1
