"""Slash commands -> an answer in the channel, a form, or the list of jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from slack_bolt import Ack, App, BoltContext, Respond
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import wording
from bot.answering import answer_turn, answer_under_question, has_no_entry, question_heading
from bot.drafts import evaluation_from_request, tuning_from_request
from bot.failures import error_sentence
from bot.inbound import Place, plain_text
from bot.listeners.forms import open_form, tell
from bot.render.jobs import jobs_message
from bot.render.modals import FormOrigin, evaluation_form, tuning_form
from bot.render.slack import Block
from bot.surface import Surface
from index.bilingual import Language
from index.errors import ShortlistError
from skills.conversation.language import language_of
from skills.conversation.request import Request, Turn
from skills.conversation.threads import Exchange


class Typed:
    """One command: who typed what, where, and how to answer. Slack sends no thread with a command."""

    def __init__(
        self, command: Mapping[str, Any], context: BoltContext, client: WebClient, respond: Respond
    ) -> None:
        self.command = command
        self.client = client
        self.respond = respond
        self.person: str = command["user_id"]
        self.words = plain_text(command.get("text") or "", context.bot_user_id or "")
        self.place = Place(team=context.team_id or "", channel=command["channel_id"], thread_ts=None)


def register(app: App, surface: Surface) -> None:
    """Listen for the four commands."""
    for name, handle in (
        ("/shortlist", _ask),
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
        tell(respond, error_sentence(error, _language(surface, typed)))


def _ask(surface: Surface, typed: Typed) -> None:
    if not typed.words:
        tell(typed.respond, wording.ASK_SOMETHING.to(_language(surface, typed)))
        return
    try:
        if typed.place.is_direct:
            _ask_directly(surface, typed)
        else:
            answer_under_question(surface, typed.client, typed.words, typed.person, typed.place)
    except SlackApiError as error:
        if not has_no_entry(error):
            raise
        tell(typed.respond, wording.NOT_IN_CHANNEL.to(language_of(typed.words)))


def _ask_directly(surface: Surface, typed: Typed) -> None:
    """In a direct message a command is one more turn of the running conversation."""
    language = language_of(typed.words)
    heading = question_heading(surface, typed.client, typed.person, typed.words, language)
    key = typed.command.get("trigger_id")
    turn = Turn(text=typed.words, thread=typed.place.thread, person=typed.person, key=key)
    answer_turn(surface, typed.client, turn, typed.place, heading=heading)


def _open_evaluation(surface: Surface, typed: Typed) -> None:
    request, last = _said(surface, typed, verb="evaluate")
    origin = FormOrigin.at(typed.place, _language(surface, typed))
    _open(surface, typed, evaluation_form(evaluation_from_request(request, last), origin))


def _open_tuning(surface: Surface, typed: Typed) -> None:
    request, last = _said(surface, typed, verb="fine-tune")
    origin = FormOrigin.at(typed.place, _language(surface, typed))
    _open(surface, typed, tuning_form(tuning_from_request(request, last), origin))


def _open(surface: Surface, typed: Typed, view: Block) -> None:
    language = _language(surface, typed)
    open_form(surface, typed.client, typed.respond, view, body=typed.command, language=language)


def _list_jobs(surface: Surface, typed: Typed) -> None:
    found = surface.jobs.list()
    message = jobs_message(found, _language(surface, typed), surface.jobs.outlooks(found))
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


def _language(surface: Surface, typed: Typed) -> Language:
    """The language of the words, or of what was said last."""
    if typed.words:
        return language_of(typed.words)
    last = surface.threads.last(typed.place.thread) or surface.threads.last_by(typed.person)
    return last.request.language if last else "en"
