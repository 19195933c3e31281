"""What holds for the whole project: whose names the packages are, and that everything is documented."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import click
import pytest
import typer

from bot.cli import app
from bot.settings import Settings
from skills.registry import SKILLS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", ["bot", "skills", "finetune", "index"])
def test_each_package_name_is_ours_and_not_of_something_installed(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin == str(ROOT / package / "__init__.py")


def commands(group: click.Command, path: str = "shortlist") -> list[str]:
    if not isinstance(group, click.Group):
        return [path]
    return [line for name, command in group.commands.items() for line in commands(command, f"{path} {name}")]


@pytest.mark.parametrize("line", commands(typer.main.get_command(app)))
def test_every_command_is_documented(line: str) -> None:
    assert f"`{line}" in CLI


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_documented(field: str) -> None:
    name = Settings.model_fields[field].alias or f"SHORTLIST_{field.upper()}"
    assert f"| `{name}` |" in README


@pytest.mark.parametrize("skill", [skill.name for skill in SKILLS])
def test_every_skill_is_documented(skill: str) -> None:
    assert f"| {skill} |" in README


def test_every_pinned_version_lies_in_its_declared_range_by_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = {
        re.sub(r"[-_.]+", "-", line.split("==")[0]).lower()
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    }
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~; ]", line)[0]).lower() for line in wanted}
    assert names <= pins


def test_nothing_committed_names_a_registry_host() -> None:
    assert "://" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")


def test_local_links_in_the_documents_lead_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
