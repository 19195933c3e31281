"""Slash commands -> an answer in the channel, a form, or the list of jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from slack_bolt import Ack, App, BoltContext, Respond
from slack_sdk import WebClient

from bot.drafts import Draft, evaluation_from_request, tuning_from_request
from bot.failures import error_sentence
from bot.listeners.asking import ask
from bot.listeners.forms import open_form, tell
from bot.listeners.typed import Typed
from bot.render.jobs import jobs_message
from bot.surface import Surface
from index.errors import ShortlistError
from skills.conversation.request import Request, Turn
from skills.conversation.threads import Exchange


def register(app: App, surface: Surface) -> None:
    """Listen for the four commands."""
    for name, handle in (
        ("/shortlist", ask),
        ("/evaluate", _open_evaluation),
        ("/finetune", _open_tuning),
        ("/jobs", _list_jobs),
    ):
        app.command(name)(partial(_on_command, surface, handle))


def _on_command(  # noqa: PLR0913, PLR0917  Bolt fills these in by name
    surface: Surface,
    handle: Callable[[Surface, Typed], None],
    ack: Ack,
    command: Mapping[str, Any],
    context: BoltContext,
    client: WebClient,
    respond: Respond,
) -> None:
    ack()
    typed = Typed(command, context, client, respond)
    try:
        handle(surface, typed)
    except Exception as error:  # the listener edge: any bug becomes an apology
        tell(respond, error_sentence(error, typed.language(surface)))


def _open_evaluation(surface: Surface, typed: Typed) -> None:
    request, last = _said(surface, typed, verb="evaluate")
    _open(surface, typed, evaluation_from_request(request, last))


def _open_tuning(surface: Surface, typed: Typed) -> None:
    request, last = _said(surface, typed, verb="fine-tune")
    _open(surface, typed, tuning_from_request(request, last))


def _open(surface: Surface, typed: Typed, draft: Draft) -> None:
    open_form(
        surface,
        typed.client,
        typed.respond,
        draft,
        place=typed.place,
        body=typed.command,
        language=typed.language(surface),
    )


def _list_jobs(surface: Surface, typed: Typed) -> None:
    found = surface.jobs.list()
    message = jobs_message(found, typed.language(surface), surface.jobs.outlooks(found))
    typed.respond(text=message.text, blocks=list(message.blocks))


def _said(surface: Surface, typed: Typed, *, verb: str) -> tuple[Request | None, Exchange | None]:
    """The words after the command, understood; and what was said before, here or else by this person."""
    last = surface.threads.last_ranking(typed.place.thread) or surface.threads.last_by(typed.person)
    if not typed.words:
        return None, last
    turn = Turn(text=f"{verb} {typed.words}", thread=typed.place.thread, person=typed.person)
    try:
        return surface.read(turn), last
    except ShortlistError:  # a draft is a convenience: the form opens all the same
        return None, last
