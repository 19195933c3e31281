"""Thread memory: what was asked and answered, kept in the store so that a follow-up can build on it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Engine, insert, select

from index.schema import turns
from index.store import utc_now
from skills.conversation.answer import Answer
from skills.conversation.request import Request


@dataclass(frozen=True, slots=True)
class Exchange:
    """One turn of a thread: the request as understood, and the answer as given."""

    request: Request
    answer: Answer


@dataclass(frozen=True, slots=True)
class Threads:
    """The threads in the store."""

    engine: Engine

    def last(self, thread: str) -> Exchange | None:
        """The latest exchange of a thread, or None when nothing was said there."""
        return self._newest(thread, only_ranked=False)

    def last_ranking(self, thread: str) -> Exchange | None:
        """The latest exchange whose answer recommended models: what "the first one" points at."""
        return self._newest(thread, only_ranked=True)

    def last_by(self, person: str) -> Exchange | None:
        """The latest exchange with a person, wherever it was."""
        query = select(turns.c.request, turns.c.answer).where(turns.c.person == person)
        with self.engine.connect() as connection:
            row = connection.execute(query.order_by(turns.c.id.desc()).limit(1)).first()
        return Exchange(Request.model_validate(row[0]), Answer.model_validate(row[1])) if row else None

    def append(self, request: Request, answer: Answer) -> None:
        """Remember one exchange."""
        row = {
            "thread": request.turn.thread,
            "person": request.turn.person,
            "text": request.turn.text,
            "request": json.loads(request.model_dump_json()),
            "answer": json.loads(answer.model_dump_json()),
            "created_at_utc": utc_now(),
        }
        with self.engine.begin() as connection:
            connection.execute(insert(turns).values(row))

    def exists(self, thread: str) -> bool:
        """Whether anything was said in this thread."""
        query = select(turns.c.id).where(turns.c.thread == thread).limit(1)
        with self.engine.connect() as connection:
            return connection.execute(query).first() is not None

    def _newest(self, thread: str, *, only_ranked: bool) -> Exchange | None:
        query = select(turns.c.request, turns.c.answer).where(turns.c.thread == thread)
        query = query.order_by(turns.c.id.desc()).limit(20)
        with self.engine.connect() as connection:
            for request, answer in connection.execute(query):
                exchange = Exchange(Request.model_validate(request), Answer.model_validate(answer))
                if exchange.answer.recommendations or not only_ranked:
                    return exchange
        return None
