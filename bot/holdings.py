"""What is held on a person, in all tables and files: told as JSON, or deleted. The audit trail keeps that it was done.

A table that names a person is listed in HELD; a test fails when one is not, so that a new table is not overlooked.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Column, Engine, delete, select, update

from bot.access import Access
from finetune.jobs import Jobs
from finetune.state import FORGOTTEN
from index.audit import Trail, as_json
from index.schema import job_cards, jobs, metadata
from index.store import utc_now
from skills.conversation.threads import Threads

Rule = Literal["delete", "replace", "jobs", "keep"]

HELD: Final[Mapping[str, Rule]] = {
    "turns.person": "delete",
    "inbox.person": "delete",
    "feedback.person": "delete",
    "launches.owner": "delete",
    "launches.decided_by": "replace",
    "defaults.changed_by": "replace",
    "jobs.owner": "jobs",
    "selections.owner": "replace",
    "grants.subject": "delete",
    "grants.granted_by": "replace",
    "quotas.subject": "delete",
    "quotas.set_by": "replace",
    "audit.person": "keep",
    "slack_installations.user_id": "keep",
}
"""Column that names a person -> what becomes of its rows when they are forgotten: they are deleted, the name is replaced
by one that stands for nobody, `finetune.people` empties them, or the fact is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was deleted."""

    turns: int
    jobs: int
    still_running: int
    """Jobs that have not ended: forget again when they have."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """All that is held on people. One may see and delete what is held on oneself; for others it takes a role."""

    engine: Engine
    jobs: Jobs
    threads: Threads
    access: Access
    trail: Trail

    def export(self, person: str, *, by: str) -> dict[str, Any]:
        """Everything held on a person, as JSON values."""
        self._require(person, by)
        value = {
            "person": person,
            "at_utc": utc_now(),
            **self._rows_of(person),
            **self.jobs.held_on(person),
            "audit": [as_json(row) for row in self.trail.newest(100_000, person=person)],
        }
        self.trail.record("export", f"person {person}", "allowed", person=by)
        return value

    def forget(self, person: str, *, by: str, timeout_s: float = 30.0) -> Forgotten:
        """Stop the person's jobs and delete what is held on them."""
        self._require(person, by)
        pseudonym = f"{FORGOTTEN}{uuid.uuid4().hex[:8]}"
        self.trail.record("forget", f"person {person}", "allowed", person=by)
        self._forget_cards(person)
        n_jobs, n_running = self.jobs.forget(person, pseudonym, timeout_s)
        n_turns = self.threads.forget(person)
        with self.engine.begin() as connection:
            for column in _columns("delete"):
                connection.execute(delete(column.table).where(column == person))
            for column in _columns("replace"):
                connection.execute(update(column.table).where(column == person).values({column: pseudonym}))
        return Forgotten(turns=n_turns, jobs=n_jobs, still_running=n_running)

    def count(self, person: str) -> tuple[int, int]:
        """How many turns and jobs of a person there are: what is said before they are deleted."""
        return len(self.threads.held_on(person)), len(self.jobs.list(owner=person, limit=100_000))

    def _rows_of(self, person: str) -> dict[str, list[dict[str, Any]]]:
        """The rows that are about the person, by table."""
        found: dict[str, list[dict[str, Any]]] = {}
        with self.engine.connect() as connection:
            for column in _columns("delete"):
                rows = connection.execute(select(column.table).where(column == person)).mappings()
                found.setdefault(column.table.name, []).extend(dict(row) for row in rows)
        return found

    def _require(self, person: str, by: str) -> None:
        if person != by:
            self.access.require("people", by, subject=f"person {person}")

    def _forget_cards(self, person: str) -> None:
        """Cards of the person's jobs are not edited any more; what stands in Slack is Slack's to delete."""
        theirs = select(jobs.c.id).where(jobs.c.owner == person)
        with self.engine.begin() as connection:
            connection.execute(delete(job_cards).where(job_cards.c.job_id.in_(theirs)))


def _columns(rule: Rule) -> list[Column[Any]]:
    """The columns that a rule is for."""
    names = [name.split(".") for name, given in HELD.items() if given == rule]
    return [metadata.tables[table].columns[column] for table, column in names]
