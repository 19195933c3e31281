"""Who is at the terminal, and the guarded jobs for them: the command line goes by the same rules as Slack.

At a terminal of one's own, where the home and its SQLite file belong to whoever types, nothing is gained by refusing:
they are administrators, and may act under any name. Where several people share a store, everybody is `os:NAME` by the
operating system's word, and a name may be borrowed by administrators only.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine

from bot.access import Access
from bot.app import build_desk, configure_logging, open_access
from bot.guard import Guard
from bot.settings import Settings, read_settings
from bot.worker_command import worker_command
from finetune.jobs import Jobs
from finetune.selections import Selections
from index.audit import Trail
from index.bilingual import Bilingual
from index.caller import Caller, begin
from index.store import open_store
from skills.desk import Desk

EVERYTHING = "*"


@dataclass(frozen=True)
class Terminal:
    """One process that works for the person at a terminal."""

    settings: Settings
    engine: Engine
    access: Access
    person: str
    is_own: bool
    """True for the owner of the home, who may do all."""

    @cached_property
    def trail(self) -> Trail:
        """Where everything is recorded."""
        return Trail(self.engine)

    @cached_property
    def jobs(self) -> Jobs:
        """The jobs of the home, behind the guard."""
        settings = self.settings
        jobs = Jobs(
            self.engine,
            home=settings.folder,
            database_url=settings.store_url,
            worker_command=worker_command(settings),
            policy=settings.policy,
        )
        jobs.gate = Guard(self.access, jobs, self.trail)
        return jobs

    def desk(self) -> Desk:
        """All that the skills may touch, behind the guard."""
        desk = build_desk(self.settings)
        desk.jobs.gate = Guard(self.access, desk.jobs, self.trail)
        return desk

    @property
    def channel(self) -> str | None:
        """Which documents may be seen: all by who administers, else those for everybody."""
        return EVERYTHING if self.access.may("knowledge", self.person) else None

    def asker(self, given: str | None) -> str:
        """Under which name to ask: the one given, where that may be done; else one's own."""
        if given is None or given == self.person:
            return self.person if not self.is_own else (given or "terminal")
        if not self.access.may("others' jobs", self.person):
            refusal = Bilingual(
                f"This terminal goes by the rules of the team, so --user cannot be {given!r}: you are {self.person}. "
                "Leave --user out, or ask an approver.",
                f"本终端遵循团队规则，--user 不能是 {given!r}：你的身份是 {self.person}。"
                "请去掉 --user，或联系 approver。",
            )
            self.access.refuse("others' jobs", self.person, f"as {given}", refusal, reason="name")
        return given


def open_terminal() -> Terminal:
    """Open the store for whoever is here, and say so to all that is done from now on."""
    settings = read_settings()
    configure_logging(settings)
    settings.folder.mkdir(parents=True, exist_ok=True)
    person, is_own = f"os:{login_name()}", _is_own(settings)
    engine = open_store(settings.store_url)
    begin(Caller(person=person, surface="terminal"))
    access = open_access(settings, engine, owner=person if is_own else None)
    return Terminal(settings=settings, engine=engine, access=access, person=person, is_own=is_own)


def open_jobs() -> Jobs:
    """Open only what commands about jobs need, for whoever is at the terminal."""
    return open_terminal().jobs


def open_selections() -> tuple[Jobs, Selections]:
    """Open what commands about races of base models need."""
    terminal = open_terminal()
    return terminal.jobs, Selections(terminal.engine, terminal.jobs)


def login_name() -> str:
    """The name of the effective user: the environment is not asked, because anybody can set it."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container may run under a number without a name
        return str(os.geteuid())


def _is_own(settings: Settings) -> bool:
    if settings.terminal is not None:
        return settings.terminal == "owner"
    return settings.is_alone and _owner_of(settings.folder) == os.geteuid()


def _owner_of(folder: Path) -> int:
    return folder.stat().st_uid
