"""Buttons -> a follow-up question in the thread, a form, or a change to a job.

Who may is asked when a button is pressed, not when it is shown: everybody in a channel sees the same one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from slack_bolt import Ack, App, BoltContext, Respond
from slack_sdk import WebClient

from bot import wording
from bot.answering import answer_turn, question_heading
from bot.drafts import evaluation_from_value, tuning_from_value
from bot.failures import error_sentence
from bot.inbound import Place, place_of_message
from bot.listeners.forms import open_form, open_view, tell
from bot.offers import anew
from bot.render.cards import title
from bot.render.modals import FormOrigin, evaluation_form, logs_view, tuning_form
from bot.render.slack import ACTION_PREFIX, Block, escaped
from bot.surface import Surface
from bot.wording import say
from finetune.state import Job
from index.bilingual import Language
from skills.conversation.language import language_of
from skills.conversation.request import Turn
from skills.report import job_line

Body = Mapping[str, Any]
JobAction = Callable[[Surface, Job, "Press"], None]

_FOLLOW_UPS = "explain|excluded|cheaper|faster|better|ask"


class Press:
    """One press of a button: who pressed what, where, and how to answer."""

    def __init__(self, body: Body, context: BoltContext, client: WebClient, respond: Respond) -> None:
        action = body["actions"][0]
        self.body = body
        self.client = client
        self.respond = respond
        self.value: dict[str, Any] = json.loads(action["value"])
        self.language: Language = language_of(action["text"]["text"])
        self.person: str = body["user"]["id"]
        self.place = _place(body, context)
        self.key = f"{self.place.thread}:{action['action_ts']}"


def register(app: App, surface: Surface) -> None:
    """Listen for every button that the bot shows."""

    def on(actions: str, handle: Callable[[Surface, Press], None]) -> None:
        pattern = re.compile(rf"{ACTION_PREFIX}(?:{actions})(?:_\d+)?")
        app.action(pattern)(partial(_pressed, surface, handle))

    on(_FOLLOW_UPS, _follow_up)
    on("evaluate", _open_evaluation)
    on("finetune", _open_tuning)
    on("cancel", partial(_with_job, _cancel))
    on("logs", partial(_with_job, _show_logs))
    on("retry", partial(_with_job, _retry))
    on("reproduce", partial(_with_job, _reproduce))


def _pressed(  # noqa: PLR0913, PLR0917  Bolt fills these in by name
    surface: Surface,
    handle: Callable[[Surface, Press], None],
    ack: Ack,
    body: Body,
    context: BoltContext,
    client: WebClient,
    respond: Respond,
) -> None:
    ack()
    press = Press(body, context, client, respond)
    try:
        handle(surface, press)
    except Exception as error:  # the listener edge: any bug becomes an apology
        tell(respond, error_sentence(error, press.language))


def _follow_up(surface: Surface, press: Press) -> None:
    """Ask the button's sentence in the thread, and show that somebody asked."""
    question = press.value["say"]
    heading = question_heading(surface, press.client, press.person, question, press.language)
    turn = Turn(text=question, thread=press.place.thread, person=press.person, key=press.key)
    answer_turn(surface, press.client, turn, press.place, heading=heading)


def _open_evaluation(surface: Surface, press: Press) -> None:
    origin = FormOrigin.at(press.place, press.language)
    _open(surface, press, evaluation_form(evaluation_from_value(press.value), origin))


def _open_tuning(surface: Surface, press: Press) -> None:
    origin = FormOrigin.at(press.place, press.language)
    _open(surface, press, tuning_form(tuning_from_value(press.value), origin))


def _open(surface: Surface, press: Press, view: Block) -> None:
    open_form(surface, press.client, press.respond, view, body=press.body, language=press.language)


def _with_job(act: JobAction, surface: Surface, press: Press) -> None:
    act(surface, surface.jobs.status(str(press.value["job_id"])), press)


def _cancel(surface: Surface, job: Job, press: Press) -> None:
    surface.access.require_stop(press.person, job)
    if not surface.jobs.cancel(job.id).is_finished:
        surface.jobs.ensure_worker()
    tell(press.respond, say(wording.STOPPING, press.language, job_id=job.id))
    surface.cards.refresh(press.client, job.id)


def _show_logs(surface: Surface, job: Job, press: Press) -> None:
    view = logs_view(title(job, press.language), surface.jobs.log_tail(job.id), press.language)
    trigger_id = press.body["trigger_id"]
    open_view(press.client, press.respond, view, trigger_id=trigger_id, language=press.language)


def _retry(surface: Surface, job: Job, press: Press) -> None:
    """Run the same spec again. Two presses of one button start one job."""
    surface.access.require_launch(press.person)
    again = surface.jobs.retry(job.id, dedupe_key=f"retry:{job.id}", owner=press.person)
    tell(press.respond, escaped(job_line(again, press.language)))
    surface.cards.post(press.client, again, press.place, press.language)
    surface.jobs.ensure_worker()


def _reproduce(surface: Surface, job: Job, press: Press) -> None:
    """Run the same job once more, whatever became of it. Two presses of one button start one job."""
    surface.access.require_launch(press.person)
    key = f"reproduce:{job.id}:{press.body['container']['message_ts']}"
    again = surface.jobs.repeat(job.id, dedupe_key=key, changes=anew(job), owner=press.person)
    tell(press.respond, escaped(job_line(again, press.language)))
    surface.cards.post(press.client, again, press.place, press.language)
    surface.jobs.ensure_worker()


def _place(body: Body, context: BoltContext) -> Place:
    container = body["container"]
    message = {"ts": container["message_ts"], "thread_ts": container.get("thread_ts")}
    if message["thread_ts"] is None:
        message["thread_ts"] = (body.get("message") or {}).get("thread_ts")
    return place_of_message(context.team_id or "", container["channel_id"], message)
