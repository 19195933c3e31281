"""Who is asking at this moment, from where, under which request: carried along with the work, not handed through it.

A surface says so once, at its edge. Whatever is done in that context, in this thread or in one that was given a
copy of it, is checked, recorded and logged under that name. Without one nothing that needs a role is allowed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


def new_request_id() -> str:
    """A name for one request, short enough to be read out."""
    return uuid.uuid4().hex[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One person doing one thing."""

    person: str
    """Slack user id; `os:NAME` for somebody at a terminal."""
    surface: str
    """mention, message, command, button, form, home or terminal."""
    channel: str | None = None
    """Slack channel in which it is done; None where there is none."""
    team: str | None = None
    """Slack workspace in which it is done; None at a terminal."""
    request_id: str = field(default_factory=new_request_id)


_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def current_caller() -> Caller | None:
    """Who is asking; None outside requests."""
    return _caller.get()


def current_request_id() -> str | None:
    """The request that is being worked on, also by a worker that was not asked itself; None outside."""
    caller = _caller.get()
    return caller.request_id if caller else _request_id.get()


def begin(caller: Caller | None) -> None:
    """From here on this thread works for one person: a command at a terminal, one request of a server."""
    _caller.set(caller)


@contextmanager
def calling(caller: Caller | None) -> Iterator[None]:
    """Do what is in the block for this person."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


@contextmanager
def working_on(request_id: str | None) -> Iterator[None]:
    """Do what is in the block as a part of an earlier request: a job of it, for the log."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)
