"""Several workspaces: each installs the app by itself, is answered with its own token, and can leave again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from bot.installations import AppCredentials, open_installations
from bot.slack import Credentials, build_bolt_app, clients_of, serve_http
from bot.surface import Surface
from index.errors import BadSetting
from tests.slack_bot import RunningBot, open_surface, recorded, running_bot
from tests.slack_person import Person
from tests.slack_server import SIGNING_SECRET, SlackServer

KEY = Fernet.generate_key().decode()
TOKEN = "xoxb-globex-secret"
TEAM = "T0GLOBEX"
BOT = "U0GLOBOT"


def credentials(slack: SlackServer, key: str = KEY) -> Credentials:
    app = AppCredentials(client_id="111.222", client_secret="hush", token_key=key)
    return Credentials(app=app, signing_secret=SIGNING_SECRET, api_url=slack.url)


@contextmanager
def open_bot(surface: Surface, slack: SlackServer) -> Iterator[RunningBot]:
    app = build_bolt_app(credentials(slack), surface)
    executor = app.listener_runner.listener_executor
    try:
        with serve_http(app, port=0) as server:
            work = recorded(executor)
            yield RunningBot(
                app, surface, slack, Person(slack, server.port, team=TEAM, bot=BOT), server.port, work
            )
    finally:
        executor.shutdown()
        surface.lines.close()
        surface.engine.dispose()


def get(port: int, path: str, cookie: str = "") -> tuple[int, str, str]:
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
    response = connection.getresponse()
    found = response.status, response.read().decode(), response.getheader("Set-Cookie") or ""
    connection.close()
    return found


def install(bot: RunningBot, slack: SlackServer) -> tuple[int, str]:
    """Go through the pages as a person does in a browser; Slack answers the code with a token."""
    slack.workspace.tokens[TOKEN] = {
        "team": "Globex", "team_id": TEAM, "user": "shortlist", "user_id": BOT, "bot_id": "B0GLOBEX",
    }  # fmt: skip
    slack.workspace.installable["good-code"] = {
        "access_token": TOKEN, "token_type": "bot", "scope": "chat:write,commands", "bot_user_id": BOT,
        "app_id": "A0APP", "team": {"id": TEAM, "name": "Globex"}, "enterprise": None,
        "authed_user": {"id": "U0ANA"},
    }  # fmt: skip
    status, page, cookie = get(bot.port, "/slack/install")
    assert status == 200
    (link,) = [part for part in page.split('"') if part.startswith("https://slack.com/oauth/v2/authorize")]
    state = parse_qs(urlsplit(link.replace("&amp;", "&")).query)["state"][0]
    path = f"/slack/oauth_redirect?code=good-code&state={state}"
    status, page, _ = get(bot.port, path, cookie.split(";")[0])
    return status, page


def test_workspace_installs_the_app_and_is_answered_with_its_own_token(
    tmp_path: Path, slack: SlackServer
) -> None:
    with open_bot(open_surface(tmp_path), slack) as bot:
        status, _ = install(bot, slack)
        question = bot.ana.mention("which model?")
        (answer,) = bot.posts()

    assert status == 200
    assert answer["thread_ts"] == question["ts"]
    assert slack.tokens_of("chat.postMessage") == {TOKEN}
    assert bot.turns[0].scopes == (f"{TEAM}:C0TEAM", TEAM)


def test_token_lies_in_the_store_only_encrypted(tmp_path: Path, slack: SlackServer) -> None:
    surface = open_surface(tmp_path)
    with open_bot(surface, slack) as bot:
        install(bot, slack)
        with surface.engine.connect() as connection:
            stored = [
                str(connection.execute(text(f"SELECT bot_token FROM {table}")).scalar())  # noqa: S608
                for table in ("slack_bots", "slack_installations")
            ]

    assert all(token.startswith("gAAAA") and TOKEN not in token for token in stored)
    assert not [file for file in tmp_path.rglob("*.db*") if TOKEN.encode() in file.read_bytes()]


def test_another_key_opens_no_token_and_the_old_one_still_does(
    tmp_path: Path, slack: SlackServer, caplog: pytest.LogCaptureFixture
) -> None:
    surface = open_surface(tmp_path)
    with open_bot(surface, slack) as bot:
        install(bot, slack)
        other = Fernet.generate_key().decode()
        found = [
            open_installations(credentials(slack, key).app, surface.engine).find_bot(  # type: ignore[arg-type]
                enterprise_id=None, team_id=TEAM
            )
            for key in (other, f"{other},{KEY}")
        ]

    assert found[0] is None
    assert "SHORTLIST_TOKEN_KEY" in caplog.text
    assert found[1] is not None
    assert found[1].bot_token == TOKEN


def test_key_that_is_none_is_said_before_anything_runs(tmp_path: Path, slack: SlackServer) -> None:
    surface = open_surface(tmp_path)
    try:
        with pytest.raises(BadSetting, match="SHORTLIST_TOKEN_KEY is no key"):
            build_bolt_app(credentials(slack, "not-a-key"), surface)
    finally:
        surface.engine.dispose()


@pytest.mark.parametrize("state", ["", "guessed"])
def test_installation_that_nobody_began_here_is_refused(
    tmp_path: Path, slack: SlackServer, state: str
) -> None:
    with open_bot(open_surface(tmp_path), slack) as bot:
        status, _, _ = get(bot.port, f"/slack/oauth_redirect?code=good-code&state={state}")

    assert status in {400, 401}
    assert slack.calls("oauth.v2.access") == []


def test_event_of_a_workspace_that_did_not_install_the_app_starts_nothing(
    tmp_path: Path, slack: SlackServer
) -> None:
    with open_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.mention("which model?")
        bot.settle()

    assert bot.turns == []
    assert bot.posts() == []


def test_workspace_that_removes_the_app_is_forgotten(tmp_path: Path, slack: SlackServer) -> None:
    surface = open_surface(tmp_path)
    with open_bot(surface, slack) as bot:
        install(bot, slack)
        bot.ana.deliver({"type": "app_uninstalled"})
        bot.settle()
        bot.ana.mention("which model?")
        bot.settle()
        with surface.engine.connect() as connection:
            left = connection.execute(text("SELECT count(*) FROM slack_bots")).scalar()

    assert bot.turns == []
    assert left == 0


def test_what_is_done_without_an_event_uses_the_token_of_the_workspace(
    tmp_path: Path, slack: SlackServer
) -> None:
    with open_bot(open_surface(tmp_path), slack) as bot:
        install(bot, slack)
        client_of = clients_of(bot.app, credentials(slack))
        client, nobody = client_of(TEAM), client_of("T0NOBODY")

    assert client is not None
    assert client.auth_test()["team_id"] == TEAM
    assert nobody is None


def test_pages_of_installation_are_not_there_for_one_token(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        status, _, _ = get(bot.port, "/slack/install")

    assert status == 404
