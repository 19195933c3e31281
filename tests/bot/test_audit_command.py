"""`shortlist audit`, `access` and `people` at a terminal: what is shown, and the exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update
from typer.testing import CliRunner, Result

from bot.cli import app
from bot.terminal import login_name
from index.audit import Trail
from index.schema import audit
from index.store import open_store, sqlite_url

Type = Callable[..., Result]


@pytest.fixture
def type_in(tmp_path: Path) -> Type:
    def run(*words: str, **environment: str) -> Result:
        given = {
            "SHORTLIST_HOME": str(tmp_path),
            "SHORTLIST_ADMINS": "",
            "SHORTLIST_RUNNERS": "",
            **environment,
        }
        return copy_context().run(CliRunner().invoke, app, list(words), env=given)  # type: ignore[no-any-return]

    return run


def value(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_owner_of_the_home_is_administrator_at_their_own_terminal(type_in: Type) -> None:
    shown = value(type_in("access", "show", "--json"))

    assert shown["role"] == "administrator"
    assert shown["person"] == f"os:{login_name()}"


def test_change_is_shown_with_who_what_and_from_where(type_in: Type) -> None:
    assert type_in("access", "grant", "U0ANA", "runner").exit_code == 0

    (row,) = value(type_in("audit", "--json"))["rows"]
    assert (row["person"], row["action"], row["subject"]) == (
        f"os:{login_name()}",
        "change roles",
        "runner U0ANA",
    )
    assert (row["surface"], row["decision"]) == ("terminal", "allowed")


def test_verify_names_the_first_broken_link_and_fails(type_in: Type, tmp_path: Path) -> None:
    for number in range(4):
        type_in("access", "quota", "U0ANA", "--usd", str(number))
    whole = type_in("audit", "--verify", "--json")
    assert (whole.exit_code, value(whole)["rows"], value(whole)["is_whole"]) == (0, 4, True)
    head = value(whole)["last_hash"]
    assert type_in("audit", "--head", head).exit_code == 0
    assert type_in("audit", "--head", "0" * 63 + "1").exit_code == 1

    engine = open_store(sqlite_url(tmp_path))
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_no_update"))
        connection.execute(update(audit).where(audit.c.id == 2).values(subject="nothing happened"))
    engine.dispose()

    broken = type_in("audit", "--verify", "--json")
    assert (broken.exit_code, value(broken)["broken_at"]) == (1, 2)
    assert "broken at row 2" in type_in("audit", "--verify").stdout


def test_at_a_shared_terminal_a_name_is_not_borrowed_and_the_attempt_is_recorded(
    type_in: Type, tmp_path: Path
) -> None:
    type_in("access", "grant", "U0ANA", "runner")

    done = type_in("ask", "--user", "U0ADM", "hello", SHORTLIST_TERMINAL="rules")

    assert done.exit_code == 2
    engine = open_store(sqlite_url(tmp_path))
    last = Trail(engine).newest()[0]
    engine.dispose()
    assert (last.subject, last.decision, last.reason) == ("as U0ADM", "denied", "name")


def test_bad_access_file_is_one_sentence(type_in: Type, tmp_path: Path) -> None:
    path = tmp_path / "access.yaml"
    path.write_text("roles: {king: [U0ANA]}", encoding="utf-8")

    done = type_in("access", "list", SHORTLIST_ACCESS_FILE=str(path))

    assert done.exit_code == 2
    assert "there is no role 'king'" in done.stderr


def test_nothing_is_forgotten_before_it_is_said_twice(type_in: Type) -> None:
    assert type_in("ask", "--user", "ana", "help").exit_code == 0

    asked = type_in("people", "forget", "ana")
    assert asked.exit_code == 2
    assert "1 turns of ana" in asked.stderr
    assert len(value(type_in("people", "export", "ana"))["turns"]) == 1

    assert value(type_in("people", "forget", "ana", "--yes", "--json"))["turns"] == 1
    assert value(type_in("people", "export", "ana"))["turns"] == []


@pytest.mark.parametrize(
    ("environment", "state"),
    [({}, "missing"), ({"SHORTLIST_RUNNERS": "*"}, "ok"), ({"SHORTLIST_ADMINS": "U0ANA"}, "ok")],
)
def test_doctor_says_whether_anybody_in_slack_may_start_jobs(
    type_in: Type, environment: dict[str, str], state: str
) -> None:
    findings = value(type_in("doctor", "--json", **environment))["findings"]

    assert [finding["state"] for finding in findings if finding["name"] == "roles"] == [state]
