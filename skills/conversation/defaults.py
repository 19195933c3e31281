"""What a team or a channel takes for granted -> requirements that a question leaves unsaid, and says so.

A default never overrides what a person says: a stated limit, a limit that they lifted, or hardware of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from index.schema import defaults
from index.store import utc_now
from skills.conversation.request import Currency, Gpus, Request, Requirements

FIELDS = ("gpus", "licences", "languages", "alpha")
"""The requirements that may have a default."""
_RIVALS = {
    "gpus": ("gpus", "max_memory_gib"),
    "licences": ("licences",),
    "languages": ("languages",),
    "alpha": ("alpha", "priority"),
}
"""What a person may say that makes the default of a field idle."""


class Defaults(BaseModel):
    """What holds where nothing else is said. None means "no default"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpus: Gpus | None = None
    licences: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    alpha: float | None = Field(default=None, ge=0)
    """USD per million tokens that a full unit of quality is worth."""
    currency: Currency | None = None

    @property
    def is_empty(self) -> bool:
        """True when there is no default at all."""
        return self == Defaults()

    def over(self, wider: Defaults) -> Defaults:
        """These defaults, and where they say nothing the wider ones: a channel's over its team's."""
        stated = {name: value for name, value in self if value is not None}
        return wider.model_copy(update=stated)


@dataclass(frozen=True, slots=True)
class DefaultsStore:
    """The defaults in the store, each under a scope: a team, or a channel of it."""

    engine: Engine

    def of(self, scope: str) -> Defaults:
        """The defaults of exactly this scope."""
        with self.engine.connect() as connection:
            values = connection.execute(select(defaults.c.stated).where(defaults.c.scope == scope)).scalar()
        return Defaults.model_validate(values) if values else Defaults()

    def holding(self, scopes: Sequence[str]) -> Defaults:
        """What holds in these scopes, the narrowest first."""
        found = Defaults()
        for scope in scopes:
            found = found.over(self.of(scope))
        return found

    def save(self, scope: str, changed: Defaults, *, person: str) -> None:
        """Replace the defaults of a scope; empty ones are forgotten."""
        if changed.is_empty:
            with self.engine.begin() as connection:
                connection.execute(delete(defaults).where(defaults.c.scope == scope))
            return
        values = {
            "stated": changed.model_dump(mode="json", exclude_none=True),
            "changed_by": person,
            "changed_at_utc": utc_now(),
        }
        try:
            with self.engine.begin() as connection:
                connection.execute(insert(defaults).values(scope=scope, **values))
        except IntegrityError:
            with self.engine.begin() as connection:
                connection.execute(update(defaults).where(defaults.c.scope == scope).values(**values))


def with_defaults(request: Request, known: Defaults) -> Request:
    """The request with what its team takes for granted, as far as a choice rests on it and nobody spoke of it."""
    if request.skill != "recommend":
        return request
    stated = request.requirements
    found: dict[str, Any] = {
        field: value
        for field in FIELDS
        if (value := getattr(known, field)) is not None and _is_open(field, stated, request.waived)
    }
    return request.model_copy(
        update={
            "requirements": stated.model_copy(update=found),
            "assumed": tuple(found),
            "currency": known.currency,
        }
    )


def as_stated(request: Request | None) -> Request | None:
    """A request of before without what was only assumed: what a follow-up builds on."""
    if request is None or not request.assumed:
        return request
    kept = request.requirements.model_copy(update=dict.fromkeys(request.assumed))
    return request.model_copy(update={"requirements": kept, "assumed": ()})


def _is_open(field: str, stated: Requirements, waived: Sequence[str]) -> bool:
    if field == "gpus" and stated.hosting == "api":
        return False
    rivals = _RIVALS[field]
    return all(getattr(stated, rival) is None and rival not in waived for rival in rivals)
