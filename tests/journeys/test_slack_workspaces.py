"""Several workspaces: each installs the app by itself, is answered with its own token, and can leave again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from bot.installations import AppCredentials, open_installations
from bot.slack import Credentials, build_bolt_app, clients_of, serve_http
from bot.surface import Surface
from finetune.dataset_errors import NoSuchFile
from finetune.jobs import Jobs
from finetune.state import Job
from index.caller import Caller, calling
from index.errors import BadSetting, UnknownJob
from index.store import open_store, sqlite_url
from tests.slack_bot import RunningBot, evaluation, open_surface, recorded, running_bot
from tests.slack_person import Person
from tests.slack_server import SIGNING_SECRET, SlackServer

KEY = Fernet.generate_key().decode()
TOKEN = "xoxb-globex-secret"
TEAM = "T0GLOBEX"
BOT = "U0GLOBOT"


def credentials(slack: SlackServer, key: str = KEY, *, shares: bool = False) -> Credentials:
    app = AppCredentials(client_id="111.222", client_secret="hush", token_key=key, shares_workspaces=shares)
    return Credentials(app=app, signing_secret=SIGNING_SECRET, api_url=slack.url)


@contextmanager
def open_bot(surface: Surface, slack: SlackServer, *, shares: bool = False) -> Iterator[RunningBot]:
    app = build_bolt_app(credentials(slack, shares=shares), surface)
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


def install(bot: RunningBot, slack: SlackServer, *, team: str = TEAM, token: str = TOKEN) -> tuple[int, str]:
    """Go through the pages as a person does in a browser; Slack answers the code with a token."""
    slack.workspace.tokens[token] = {
        "team": "Globex", "team_id": team, "user": "shortlist", "user_id": BOT, "bot_id": "B0GLOBEX",
    }  # fmt: skip
    slack.workspace.installable["good-code"] = {
        "access_token": token, "token_type": "bot", "scope": "chat:write,commands", "bot_user_id": BOT,
        "app_id": "A0APP", "team": {"id": team, "name": "Globex"}, "enterprise": None,
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


OTHER = "T0INITECH"


@contextmanager
def two_workspaces(tmp_path: Path, slack: SlackServer) -> Iterator[tuple[RunningBot, Person]]:
    """A bot that two workspaces installed; Bill is in the other one."""
    with open_bot(open_surface(tmp_path), slack, shares=True) as bot:
        install(bot, slack)
        install(bot, slack, team=OTHER, token="xoxb-initech")
        yield bot, Person(slack, bot.port, id="U0BILL", team=OTHER, bot=BOT)


def job_of(bot: RunningBot, thread: str, owner: str = "U0ANA") -> Job:
    return bot.surface.jobs.submit(evaluation(), dedupe_key=thread, owner=owner, thread=thread)


def test_second_workspace_is_refused_in_words_until_sharing_is_agreed_to(
    tmp_path: Path, slack: SlackServer
) -> None:
    with open_bot(open_surface(tmp_path), slack) as bot:
        install(bot, slack)
        status, page = install(bot, slack, team=OTHER, token="xoxb-initech")
        again, _ = install(bot, slack)
        Person(slack, bot.port, id="U0BILL", team=OTHER, bot=BOT).mention("which model?")
        bot.settle()

    assert status == 403
    assert "serves another workspace already" in page
    assert "SHORTLIST_SHARED_WORKSPACES=1" in page
    assert "未安装 Shortlist" in page
    assert again == 200, "the workspace that is there may install again"
    assert bot.turns == []


def test_jobs_of_one_workspace_are_not_listed_in_another(tmp_path: Path, slack: SlackServer) -> None:
    with two_workspaces(tmp_path, slack) as (bot, bill):
        ours, theirs = job_of(bot, f"{TEAM}:C0TEAM:1.1"), job_of(bot, f"{OTHER}:C0HOME:2.2", "U0BILL")
        told = []
        for person in (bot.ana, bill):
            person.command("/jobs", "")
            told.append(json.dumps(bot.told()[-1]))

    assert [f"Evaluation #{ours.id}:" in one for one in told] == [True, False]
    assert [f"Evaluation #{theirs.id}:" in one for one in told] == [False, True]


def test_job_of_another_workspace_can_be_neither_read_nor_stopped_nor_repeated(
    tmp_path: Path, slack: SlackServer
) -> None:
    with two_workspaces(tmp_path, slack) as (bot, _bill):
        jobs, job = bot.surface.jobs, job_of(bot, f"{TEAM}:C0TEAM:1.1")
        with calling(Caller(person="U0BILL", surface="button", channel="C0HOME", team=OTHER)):
            for touch in (
                jobs.status,
                jobs.result,
                jobs.log_tail,
                jobs.cancel,
                partial(jobs.repeat, dedupe_key="again"),
            ):
                with pytest.raises(UnknownJob):
                    touch(job.id)
            listed = jobs.list()
        with calling(Caller(person="U0ANA", surface="button", channel="C0TEAM", team=TEAM)):
            own = jobs.status(job.id)

    assert listed == []
    assert own.state == "queued"


def test_files_that_can_be_named_are_those_of_the_own_workspace(tmp_path: Path) -> None:
    (tmp_path / "data" / TEAM).mkdir(parents=True)
    rows = "".join(f"where is order {n},{'ab'[n % 2]}\n" for n in range(20))
    (tmp_path / "data" / TEAM / "ours.csv").write_text("text,label\n" + rows)
    engine = open_store(sqlite_url(tmp_path))
    jobs = Jobs(engine, home=tmp_path, database_url="", worker_command=None, datasets=tmp_path / "data")
    jobs.keeps_workspaces_apart = True
    try:
        with calling(Caller(person="U0BILL", surface="form", team=OTHER)):
            assert "ours.csv" not in jobs.dataset_names()
            for name in ("ours.csv", f"../{TEAM}/ours.csv", f"{TEAM}/ours.csv"):
                with pytest.raises(NoSuchFile):
                    jobs.register_dataset(name)
        with calling(Caller(person="U0ANA", surface="form", team=TEAM)):
            assert "ours.csv" in jobs.dataset_names()
            assert jobs.register_dataset("ours.csv").rows
    finally:
        engine.dispose()


def test_pages_of_installation_are_not_there_for_one_token(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        status, _, _ = get(bot.port, "/slack/install")

    assert status == 404
