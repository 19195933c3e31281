"""Whose a job is where one house serves several Slack workspaces: a thread's name begins with its workspace.

A person sees and touches what was begun in the workspace that they are in. A terminal, a worker and what is told of by
itself belong to no workspace and see everything.
"""

from __future__ import annotations

from pathlib import Path

from index.caller import current_caller

ELSEWHERE = "another workspace / 另一个工作区"
"""Who has a device, to those who may not know."""


def team_of(thread: str | None) -> str | None:
    """The workspace of a thread's name, `TEAM:CHANNEL[:TS]`; None at a terminal."""
    team, found, _ = (thread or "").partition(":")
    return team if found and team else None


def asking_team() -> str | None:
    """The workspace of whoever is asking now; None outside Slack."""
    caller = current_caller()
    return caller.team if caller else None


def folder_of(datasets: Path, team: str | None) -> Path:
    """Where the files of a workspace lie: a folder of its own in that of all."""
    return datasets / team if team and team.isalnum() else datasets
