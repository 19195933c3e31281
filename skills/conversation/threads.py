"""Thread memory: what was asked and answered, kept in the store so that a follow-up can build on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Select, delete, insert, select

from index.schema import turns
from index.store import utc_now
from skills.conversation.answer import Answer
from skills.conversation.request import Request


@dataclass(frozen=True, slots=True)
class Exchange:
    """One turn of a thread: the request as understood, and the answer as given."""

    request: Request
    answer: Answer
    id: int = 0
    """Its number in the store."""


@dataclass(frozen=True, slots=True)
class Threads:
    """The threads in the store."""

    engine: Engine

    def last(self, thread: str, *, up_to: int | None = None) -> Exchange | None:
        """The latest exchange of a thread, or None when nothing was said there; `up_to` is the last to count."""
        return self._newest(thread, up_to, only_ranked=False)

    def last_ranking(self, thread: str, *, up_to: int | None = None) -> Exchange | None:
        """The latest exchange whose answer recommended models: what "the first one" points at."""
        return self._newest(thread, up_to, only_ranked=True)

    def exchange(self, number: int) -> Exchange | None:
        """One exchange by its number."""
        found = self._read(select(turns).where(turns.c.id == number))
        return found[0] if found else None

    def recent_by(self, person: str, limit: int) -> Sequence[Exchange]:
        """What a person asked lately, newest first."""
        return self._read(
            select(turns).where(turns.c.person == person).order_by(turns.c.id.desc()).limit(limit)
        )

    def last_at(self, thread: str) -> datetime | None:
        """When something was said in a thread last; None when nothing was."""
        query = select(turns.c.created_at_utc).where(turns.c.thread == thread)
        with self.engine.connect() as connection:
            at = connection.execute(query.order_by(turns.c.id.desc()).limit(1)).scalar()
        return datetime.fromisoformat(at) if at else None

    def last_by(self, person: str) -> Exchange | None:
        """The latest exchange with a person, wherever it was."""
        found = self.recent_by(person, 1)
        return found[0] if found else None

    def append(self, request: Request, answer: Answer) -> int:
        """Remember one exchange, and return its number."""
        row = {
            "thread": request.turn.thread,
            "person": request.turn.person,
            "text": request.turn.text,
            "request": json.loads(request.model_dump_json()),
            "answer": json.loads(answer.model_dump_json()),
            "created_at_utc": utc_now(),
        }
        with self.engine.begin() as connection:
            return int(connection.execute(insert(turns).values(row)).inserted_primary_key[0])  # type: ignore[index]

    def held_on(self, person: str) -> list[dict[str, Any]]:
        """Everything that a person said here and was answered, as JSON values, the oldest first."""
        query = select(turns).where(turns.c.person == person).order_by(turns.c.id)
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def forget(self, person: str) -> int:
        """Delete what a person said and was answered; how many turns there were."""
        with self.engine.begin() as connection:
            return connection.execute(delete(turns).where(turns.c.person == person)).rowcount

    def exists(self, thread: str) -> bool:
        """Whether anything was said in this thread."""
        query = select(turns.c.id).where(turns.c.thread == thread).limit(1)
        with self.engine.connect() as connection:
            return connection.execute(query).first() is not None

    def _newest(self, thread: str, up_to: int | None, *, only_ranked: bool) -> Exchange | None:
        query = select(turns).where(turns.c.thread == thread)
        if up_to is not None:
            query = query.where(turns.c.id <= up_to)
        found = self._read(query.order_by(turns.c.id.desc()).limit(20 if only_ranked else 1))
        return next((one for one in found if one.answer.recommendations or not only_ranked), None)

    def _read(self, query: Select[Any]) -> list[Exchange]:
        with self.engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            Exchange(Request.model_validate(row["request"]), Answer.model_validate(row["answer"]), row["id"])
            for row in rows
        ]
