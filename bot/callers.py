"""A Slack payload -> who is asking, from where: said once, at the edge, for all listeners.

Bolt hands listeners to a pool of threads; the pool here takes the caller along.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar

from slack_bolt import BoltRequest, BoltResponse

from index.caller import Caller, begin, new_request_id

P = ParamSpec("P")
T = TypeVar("T")
Body = Mapping[str, Any]


class CallerPool(ThreadPoolExecutor):
    """Threads that work for whoever asked."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run the call in a copy of this context."""
        return super().submit(copy_context().run, fn, *args, **kwargs)  # type: ignore[arg-type]


def tell_caller(req: BoltRequest, next: Callable[[], BoltResponse]) -> BoltResponse:
    """Bolt middleware: everything behind it is done for the person of the payload.

    Bolt calls the listeners after its middleware has returned, in the same thread, so this is for the next request to
    undo: each sets its own, also to nobody.
    """
    begin(caller_of(req.body, req.context.team_id))
    return next()


def caller_of(body: Body, team: str | None = None) -> Caller | None:
    """Who sent the payload; None where it names no person, as for the bot's own events."""
    event = body.get("event") or {}
    person = body.get("user_id") or _id(body.get("user")) or _id(event.get("user"))
    if not person:
        return None
    return Caller(
        person=person,
        surface=_surface(body, event),
        channel=_channel(body, event),
        team=team,
        request_id=new_request_id(),
    )


def _surface(body: Body, event: Body) -> str:
    if body.get("command"):
        return "command"
    kinds = {"block_actions": "button", "view_submission": "form", "view_closed": "form"}
    if (kind := kinds.get(str(body.get("type")))) is not None:
        return kind
    names = {"app_mention": "mention", "app_home_opened": "home"}
    return names.get(str(event.get("type")), "message")


def _channel(body: Body, event: Body) -> str | None:
    """Where it was done. A form says where it was opened in what it carries through Slack."""
    places = (
        body.get("channel_id"),
        (body.get("container") or {}).get("channel_id"),
        _id(body.get("channel")),
        _id(event.get("channel")),
        _carried((body.get("view") or {}).get("private_metadata")),
    )
    return next((place for place in places if isinstance(place, str) and place), None)


def _carried(metadata: object) -> str | None:
    try:
        value = json.loads(metadata) if isinstance(metadata, str) and metadata else None
    except ValueError:
        return None
    channel = value.get("channel") if isinstance(value, dict) else None
    return channel if isinstance(channel, str) else None


def _id(value: object) -> str | None:
    """Slack names people and places by id, or by an object that has it."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) else None
