"""What somebody did or was refused -> rows that can be added and read, never changed: the audit trail.

Each row carries the hash of the one before it, so that an edit, a deletion in the middle or a row put in between
breaks the chain at a place that `verify` names. The store refuses UPDATE and DELETE by triggers (migration 0005).
What no chain can tell by itself is that its end was cut off: keep the last hash elsewhere, and ask for it.

Rows hold who, what, when, from where and the decision. No message text, no row of a data set, no secret.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Engine, insert, select, text

from index.caller import current_caller, current_request_id
from index.schema import audit
from index.store import utc_now

Decision = Literal["allowed", "denied"]

FIRST = "0" * 64
"""What stands for the row before the first."""
_ADVISORY_LOCK = 0x4155444954
_PAGE = 1000
_SUBJECT_CHARS = 255
_NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the trail."""

    id: int
    at_utc: str
    person: str
    surface: str
    channel: str | None
    request_id: str | None
    action: str
    """launch, stop, change roles, add knowledge, forget a person, …"""
    subject: str
    """What it was done to: `job 3`, `runner U0BEN`."""
    decision: Decision
    reason: str
    """Why it was refused, as a word: role, quota, approval."""
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the trail is whole."""

    rows: int
    last_hash: str
    broken_at: int | None = None
    """Number of the first row that does not follow from the one before it; None when all do."""
    holds_head: bool | None = None
    """Whether a hash that was kept elsewhere is in the chain; None when none was asked for."""

    @property
    def is_whole(self) -> bool:
        """True when no link is broken, and the kept hash, if any, was found."""
        return self.broken_at is None and self.holds_head is not False


class Trail:
    """The audit trail of one store. There is no way to change or delete a row."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(
        self, action: str, subject: str, decision: Decision, *, reason: str = "", person: str | None = None
    ) -> None:
        """Add one row for who is asking now (`index.caller`), or for `person` where nobody is."""
        caller = current_caller()
        fields = {
            "at_utc": utc_now(),
            "person": person or (caller.person if caller else _NOBODY),
            "surface": caller.surface if caller else "",
            "channel": caller.channel if caller else None,
            "request_id": current_request_id(),
            "action": action,
            "subject": subject[:_SUBJECT_CHARS],
            "decision": decision,
            "reason": reason,
        }
        with self._engine.connect() as connection:
            _take_turns(connection)
            previous = _last_hash(connection)
            values = fields | {"previous_hash": previous, "hash": _hash(fields, previous)}
            connection.execute(insert(audit).values(values))
            connection.commit()

    def newest(self, limit: int = 50, *, person: str | None = None, action: str | None = None) -> list[Entry]:
        """The latest rows, the newest first."""
        query = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if person is not None:
            query = query.where(audit.c.person == person)
        if action is not None:
            query = query.where(audit.c.action == action)
        with self._engine.connect() as connection:
            return [Entry(**row) for row in connection.execute(query).mappings()]

    def verify(self, head: str | None = None) -> Verdict:
        """Walk the chain from its first row. `head` is a hash that was kept elsewhere and must be in it."""
        previous, rows, holds_head = FIRST, 0, None if head is None else head == FIRST
        for entry in self._oldest_first():
            rows += 1
            fields = {name: getattr(entry, name) for name in _HASHED}
            if entry.previous_hash != previous or entry.hash != _hash(fields, previous):
                return Verdict(rows=rows, last_hash=previous, broken_at=entry.id, holds_head=holds_head)
            previous = entry.hash
            holds_head = holds_head or (None if head is None else head == previous)
        return Verdict(rows=rows, last_hash=previous, holds_head=holds_head)

    def _oldest_first(self) -> Iterator[Entry]:
        cursor = -1
        while True:
            query = select(audit).where(audit.c.id > cursor).order_by(audit.c.id).limit(_PAGE)
            with self._engine.connect() as connection:
                page = [Entry(**row) for row in connection.execute(query).mappings()]
            if not page:
                return
            yield from page
            cursor = page[-1].id


_HASHED = (
    "at_utc", "person", "surface", "channel", "request_id", "action", "subject", "decision", "reason",
)  # fmt: skip


def as_json(entry: Entry) -> dict[str, Any]:
    """The row as JSON values."""
    return asdict(entry)


def _hash(fields: dict[str, Any], previous: str) -> str:
    """Of the row's own fields, in one order and spelling, and of the hash before it."""
    written = json.dumps({name: fields[name] for name in _HASHED}, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(f"{previous}\n{written}".encode()).hexdigest()


def _take_turns(connection: Connection) -> None:
    """Two rows must not follow the same one: whoever writes goes alone, to the end of its transaction."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


def _last_hash(connection: Connection) -> str:
    query = select(audit.c.hash).order_by(audit.c.id.desc()).limit(1)
    return connection.execute(query).scalar() or FIRST
