"""Messages that were received -> each answered once, oldest first in its thread, whoever answers.

A message is a row before Slack is told that it arrived, so that a crash loses none, and its key is the message's own
name, so that a redelivery, a mention's twin or another replica finds it there. Nothing of what was said is kept in the
row once it is answered.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Engine, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from index.schema import deliveries, inbox
from index.store import utc_now

State = Literal["waiting", "taken", "posting", "done", "dropped"]

_WORKER = f"{socket.gethostname()}:{os.getpid()}"[:64]
_TAKEN_AT_MOST = timedelta(minutes=15)
"""Whoever took a message longer ago than this is not at it any more."""
_WORTH_ANSWERING = timedelta(hours=1)
"""An answer that comes later than this after the question helps nobody."""
_KEPT = timedelta(days=30)
_TOO_LATE_TO_DROP = ("posting", "done", "dropped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One message to answer."""

    key: str
    thread: str
    person: str
    ts: str
    event: Mapping[str, Any]
    """What the answer needs to know: the text, and where it was said."""
    state: State = "waiting"
    exchange: int | None = None
    answers: tuple[str, ...] = ()
    """Times of the messages that answer it."""


@dataclass(frozen=True, slots=True)
class Inbox:
    """The received messages in the store."""

    engine: Engine

    def put(self, message: Received) -> bool:
        """Remember a message that was received; False when it was received before."""
        now = utc_now()
        row = {
            "key": message.key,
            "thread": message.thread,
            "person": message.person,
            "ts": message.ts,
            "event": dict(message.event),
            "state": message.state,
            "answers": [],
            "received_at_utc": now,
        }
        try:
            with self.engine.begin() as connection:
                connection.execute(insert(deliveries).values(key=message.key, received_at_utc=now))
                connection.execute(insert(inbox).values(row))
        except IntegrityError:
            return False
        return True

    def take(self, thread: str) -> Received | Literal["busy"] | None:
        """Take the oldest message of a thread that waits. "busy" while another process is at an older one."""
        stale = _ago(_TAKEN_AT_MOST)
        with self.engine.begin() as connection:
            _one_at_a_time(connection, thread)
            rows = connection.execute(
                select(inbox)
                .where(inbox.c.thread == thread, inbox.c.state.in_(("waiting", "taken", "posting")))
                .order_by(inbox.c.ts)
            ).mappings()
            found = [dict(row) for row in rows]
            if any(row["state"] != "waiting" and (row["taken_at_utc"] or "") > stale for row in found):
                return "busy"
            for row in found:
                if row["state"] == "waiting" and _move(connection, row["key"], "waiting", "taken"):
                    return _received(row)
        return None

    def start_posting(self, key: str) -> bool:
        """Say that the answer is about to be posted; False when the question was deleted in the meantime."""
        with self.engine.begin() as connection:
            return _move(connection, key, "taken", "posting")

    def done(self, key: str, *, exchange: int | None = None, answers: Sequence[str] = ()) -> None:
        """Say that a message is answered, and by which messages."""
        self._set(key, state="done", event={}, exchange=exchange, answers=list(answers))

    def get(self, key: str) -> Received | None:
        """One message by its key."""
        with self.engine.connect() as connection:
            row = connection.execute(select(inbox).where(inbox.c.key == key)).mappings().first()
        return _received(dict(row)) if row else None

    def reword(self, key: str, event: Mapping[str, Any]) -> bool:
        """Change a message that nobody has begun to answer; False when somebody has."""
        change = update(inbox).where(inbox.c.key == key, inbox.c.state == "waiting")
        with self.engine.begin() as connection:
            return connection.execute(change.values(event=dict(event))).rowcount == 1

    def drop(self, key: str) -> bool:
        """Give up a message that is not answered yet; False when it is too late."""
        return self._drop(inbox.c.key == key)

    def drop_thread(self, thread: str) -> bool:
        """Give up all messages of a thread that are not answered yet; False when there was none."""
        return self._drop(inbox.c.thread == thread)

    def asked_since(self, person: str, seconds: float) -> int:
        """How many messages of a person were received in the last so many seconds."""
        query = select(func.count()).where(
            inbox.c.person == person, inbox.c.received_at_utc > _ago(timedelta(seconds=seconds))
        )
        with self.engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def last_at(self, thread: str) -> datetime | None:
        """When a message of a thread was received last."""
        query = select(func.max(inbox.c.received_at_utc)).where(inbox.c.thread == thread)
        with self.engine.connect() as connection:
            at = connection.execute(query).scalar()
        return datetime.fromisoformat(at) if at else None

    def resume(self, *, is_alone: bool) -> list[Received]:
        """What another process, or this one before a restart, left unanswered. It waits again.

        Whoever was posting when it ended may have posted: that is not done twice. With `is_alone` nobody else can be
        at work on what is taken.
        """
        stale = "9" if is_alone else _ago(_TAKEN_AT_MOST)
        with self.engine.begin() as connection:
            held = inbox.c.taken_at_utc < stale
            connection.execute(
                update(inbox).where(inbox.c.state == "posting", held).values(state="done", event={})
            )
            connection.execute(update(inbox).where(inbox.c.state == "taken", held).values(state="waiting"))
            late = inbox.c.received_at_utc < _ago(_WORTH_ANSWERING)
            connection.execute(
                update(inbox).where(inbox.c.state == "waiting", late).values(state="dropped", event={})
            )
            connection.execute(
                delete(inbox).where(
                    inbox.c.state.in_(("done", "dropped")), inbox.c.received_at_utc < _ago(_KEPT)
                )
            )
            rows = connection.execute(
                select(inbox).where(inbox.c.state == "waiting").order_by(inbox.c.ts)
            ).mappings()
            return [_received(dict(row)) for row in rows]

    def _drop(self, which: Any) -> bool:
        change = update(inbox).where(which, inbox.c.state.not_in(_TOO_LATE_TO_DROP))
        with self.engine.begin() as connection:
            return connection.execute(change.values(state="dropped", event={})).rowcount > 0

    def _set(self, key: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(inbox).where(inbox.c.key == key).values(**values))


def _one_at_a_time(connection: Connection, thread: str) -> None:
    """Nobody else looks at the thread until this transaction ends; in SQLite nobody else writes at all."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:thread))"), {"thread": thread})


def _move(connection: Connection, key: str, before: State, after: State) -> bool:
    change = update(inbox).where(inbox.c.key == key, inbox.c.state == before)
    values = {"state": after, "worker": _WORKER, "taken_at_utc": utc_now()}
    return connection.execute(change.values(values)).rowcount == 1


def _received(row: Mapping[str, Any]) -> Received:
    return Received(
        key=row["key"],
        thread=row["thread"],
        person=row["person"],
        ts=row["ts"],
        event=row["event"],
        state=row["state"],
        exchange=row["exchange"],
        answers=tuple(row["answers"]),
    )


def _ago(time: timedelta) -> str:
    return (datetime.now(UTC) - time).isoformat(timespec="milliseconds")
