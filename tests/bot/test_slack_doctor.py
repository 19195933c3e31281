from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.scopes import SCOPES
from bot.settings import Settings
from bot.slack_doctor import SlackFinding, examine_slack
from tests.slack_server import APP_TOKEN, BOT_TOKEN, SlackServer

MANIFEST = yaml.safe_load((Path(__file__).parents[2] / "manifest.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    server = SlackServer()
    server.workspace.scopes = ",".join(SCOPES)
    yield server
    server.close()


def examine(slack: SlackServer, **variables: Any) -> dict[str, SlackFinding]:
    settings = Settings(_env_file=None, **{"SLACK_API_URL": slack.url, **variables})
    return {finding.name: finding for finding in examine_slack(settings)}


def test_good_tokens_are_named_with_bot_workspace_and_scopes(slack: SlackServer) -> None:
    found = examine(slack, SLACK_BOT_TOKEN=BOT_TOKEN, SLACK_APP_TOKEN=APP_TOKEN)

    assert [finding.state for finding in found.values()] == ["ok", "ok"]
    assert found["SLACK_BOT_TOKEN"].message.en == f"@shortlist · Acme, all {len(SCOPES)} scopes"


def test_missing_scope_is_named_with_what_does_not_work_without_it(slack: SlackServer) -> None:
    slack.workspace.scopes = ",".join(set(SCOPES) - {"files:write"})

    finding = examine(slack, SLACK_BOT_TOKEN=BOT_TOKEN, SLACK_APP_TOKEN=APP_TOKEN)["SLACK_BOT_TOKEN"]

    assert finding.state == "wrong"
    assert "files:write (charts and reports in the thread)" in finding.message.en
    assert "缺少权限：files:write" in finding.message.zh


def test_revoked_token_is_named(slack: SlackServer) -> None:
    slack.workspace.revoked.add(BOT_TOKEN)

    finding = examine(slack, SLACK_BOT_TOKEN=BOT_TOKEN)["SLACK_BOT_TOKEN"]

    assert finding.state == "wrong"
    assert "token_revoked" in finding.message.en
    assert BOT_TOKEN not in str(finding)


def test_swapped_tokens_are_recognised(slack: SlackServer) -> None:
    found = examine(slack, SLACK_BOT_TOKEN="xapp-swapped", SLACK_APP_TOKEN="xoxb-swapped")

    assert "does not begin with xoxb-" in found["SLACK_BOT_TOKEN"].message.en
    assert "does not begin with xapp-" in found["SLACK_APP_TOKEN"].message.en
    assert "swapped" not in str(found)


def test_slack_out_of_reach_is_said(slack: SlackServer) -> None:
    found = examine(slack, SLACK_BOT_TOKEN=BOT_TOKEN, SLACK_API_URL="http://127.0.0.1:9/api/")

    assert "does not answer at http://127.0.0.1:9/api/" in found["SLACK_BOT_TOKEN"].message.en


def test_nothing_set_asks_for_the_two_tokens_of_socket_mode(slack: SlackServer) -> None:
    found = examine(slack)

    assert {name: finding.state for name, finding in found.items()} == {
        "SLACK_BOT_TOKEN": "missing",
        "SLACK_APP_TOKEN": "missing",
    }


def test_signing_secret_that_is_a_token_is_recognised(slack: SlackServer) -> None:
    found = examine(slack, SLACK_BOT_TOKEN=BOT_TOKEN, SLACK_SIGNING_SECRET=BOT_TOKEN)

    assert found["SLACK_SIGNING_SECRET"].state == "wrong"


def test_several_workspaces_need_client_secret_key_and_signing_secret(slack: SlackServer) -> None:
    found = examine(slack, SLACK_CLIENT_ID="1.2", token_key="no-key")

    assert {name: finding.state for name, finding in found.items()} == {
        "SLACK_CLIENT_SECRET": "missing",
        "SHORTLIST_TOKEN_KEY": "wrong",
        "SLACK_SIGNING_SECRET": "missing",
    }


def test_scopes_are_those_of_the_manifest() -> None:
    assert set(SCOPES) == set(MANIFEST["oauth_config"]["scopes"]["bot"])
