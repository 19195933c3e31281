"""What people thought of an answer, kept in the store beside it: one vote a person, with a reason if they gave one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, insert, update
from sqlalchemy.exc import IntegrityError

from index.schema import feedback
from index.store import utc_now


@dataclass(frozen=True, slots=True)
class Feedback:
    """The votes in the store."""

    engine: Engine

    def vote(self, exchange: int, person: str, *, is_good: bool) -> None:
        """Keep a vote; a second one of the same person takes the place of the first."""
        vote: dict[str, Any] = {"vote": 1 if is_good else -1, "reason": None, "given_at_utc": utc_now()}
        try:
            with self.engine.begin() as connection:
                connection.execute(insert(feedback).values(exchange=exchange, person=person, **vote))
        except IntegrityError:
            self._update(exchange, person, vote)

    def explain(self, exchange: int, person: str, reason: str) -> None:
        """Keep the reason of a vote."""
        self._update(exchange, person, {"reason": reason})

    def _update(self, exchange: int, person: str, values: dict[str, Any]) -> None:
        where = (feedback.c.exchange == exchange, feedback.c.person == person)
        with self.engine.begin() as connection:
            connection.execute(update(feedback).where(*where).values(**values))
