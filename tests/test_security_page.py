"""docs/security.md: every test that it names is there, and every threat names one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.roles import Role, read_rules

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
THREATS = PAGE.partition("## What could go wrong")[2].partition("\n## ")[0]


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_named_test_is_there(file: str, test: str) -> None:
    assert re.search(rf"^def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_threat_names_what_shows_that_it_is_stopped() -> None:
    rows = [line for line in THREATS.splitlines() if line.startswith("|")][2:]

    assert len(rows) > 10
    assert [row for row in rows if "::test_" not in row] == []


def test_example_of_an_access_file_can_be_used(tmp_path: Path) -> None:

    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example
    (tmp_path / "access.yaml").write_text(example[1], encoding="utf-8")
    rules = read_rules(tmp_path / "access.yaml")

    assert rules.given()["C0ML"] == Role.RUNNER
    assert rules.quotas.teams["S0LEADS"].usd == 500
    assert rules.approval.usd == 20
