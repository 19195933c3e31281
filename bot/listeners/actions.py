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

from bot import approvals, launch_wording, wording
from bot.approvals import NeedsApproval
from bot.drafts import Draft, from_job, from_value
from bot.failures import error_sentence
from bot.inbound import Place, place_of_message
from bot.listeners.forms import open_form, open_view, reaching, tell
from bot.listeners.home import publish
from bot.render.cards import title
from bot.render.modals import logs_view
from bot.render.slack import ACTION_PREFIX, escaped
from bot.surface import Surface
from bot.wording import say
from finetune.state import Job
from index.bilingual import Language
from skills.conversation.language import language_of
from skills.report import job_line

Body = Mapping[str, Any]
JobAction = Callable[[Surface, Job, "Press"], None]


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
        self.is_at_home = "message_ts" not in body["container"]
        self.place = _place(body, context)
        self.key = f"{self.place.thread}:{action['action_ts']}"


def register(app: App, surface: Surface) -> None:
    """Listen for every button that the bot shows."""

    def on(actions: str, handle: Callable[[Surface, Press], None], needs: str = "") -> None:
        pattern = re.compile(rf"{ACTION_PREFIX}(?:{actions})(?:_\d+)?")
        app.action(pattern)(partial(_pressed, surface, handle, needs))

    on("evaluate", _open_evaluation)
    on("finetune", _open_tuning)
    on("cancel", partial(_with_job, _cancel), "job_id")
    on("logs", partial(_with_job, _show_logs), "job_id")
    on("retry", partial(_with_job, _retry), "job_id")
    on("reproduce", partial(_with_job, _reproduce), "job_id")
    on("approve", partial(_decide, yes=True), "key")
    on("decline", partial(_decide, yes=False), "key")


def _pressed(  # noqa: PLR0913, PLR0917  Bolt fills these in by name
    surface: Surface,
    handle: Callable[[Surface, Press], None],
    needs: str,
    ack: Ack,
    body: Body,
    context: BoltContext,
    client: WebClient,
    respond: Respond,
) -> None:
    ack()
    press = press_of(body, context, client, respond, needs)
    if press is None:
        return
    try:
        handle(surface, press)
    except Exception as error:  # the listener edge: any bug becomes an apology
        tell(press.respond, error_sentence(error, press.language))


def press_of(
    body: Body, context: BoltContext, client: WebClient, respond: Respond, needs: str = ""
) -> Press | None:
    """The press; None for a button of an earlier version, whose value says nothing now, and then that is told."""
    respond = reaching(respond, client, body)
    try:
        press = Press(body, context, client, respond)
        if not needs or needs in press.value:
            return press
    except (KeyError, TypeError, ValueError):
        pass
    tell(respond, launch_wording.STALE_BUTTON.to(_language_of_button(body)))
    return None


def _language_of_button(body: Body) -> Language:
    label = (body["actions"][0].get("text") or {}).get("text") or ""
    return language_of(label)


def _open_evaluation(surface: Surface, press: Press) -> None:
    _open(surface, press, from_value("evaluation", press.value))


def _open_tuning(surface: Surface, press: Press) -> None:
    _open(surface, press, from_value("tuning", press.value))


def _reproduce(surface: Surface, job: Job, press: Press) -> None:
    """The form of the very job, seed included: left as it is, it measures the same again."""
    _open(surface, press, from_job(job))


def _open(surface: Surface, press: Press, draft: Draft) -> None:
    open_form(
        surface,
        press.client,
        press.respond,
        draft,
        place=press.place,
        body=press.body,
        language=press.language,
    )


def _with_job(act: JobAction, surface: Surface, press: Press) -> None:
    act(surface, surface.jobs.status(str(press.value["job_id"])), press)


def _cancel(surface: Surface, job: Job, press: Press) -> None:
    surface.access.require_stop(press.person, job)
    if not surface.jobs.cancel(job.id).is_finished:
        surface.jobs.ensure_worker()
    tell(press.respond, say(wording.STOPPING, press.language, job_id=job.id))
    surface.cards.refresh(press.client, job.id)
    if press.is_at_home:
        publish(surface, press.client, press.person, press.place.team)


def _show_logs(surface: Surface, job: Job, press: Press) -> None:
    view = logs_view(title(job, press.language), surface.jobs.log_tail(job.id), press.language)
    trigger_id = press.body["trigger_id"]
    open_view(press.client, press.respond, view, trigger_id=trigger_id, language=press.language)


def _retry(surface: Surface, job: Job, press: Press) -> None:
    """Run the same spec again. Two presses of one button start one job."""
    surface.access.require_launch(press.person)
    try:
        again = surface.jobs.retry(job.id, dedupe_key=f"retry:{job.id}", owner=press.person)
    except NeedsApproval as need:
        approvals.ask(surface, press.client, need, press.place, press.language)
        raise
    tell(press.respond, escaped(job_line(again, press.language)))
    surface.cards.post(press.client, again, press.place, press.language)
    surface.jobs.ensure_worker()


def _decide(surface: Surface, press: Press, *, yes: bool) -> None:
    """An approver said yes or no: the question becomes the answer."""
    key = str(press.value["key"])
    told = approvals.decide(surface, press.client, key, press.person, yes=yes)
    if told is not None:
        tell(press.respond, told.to(press.language))
        return
    text, blocks = approvals.decided(surface, press.client, key, press.person)
    press.client.chat_update(
        channel=press.place.channel, ts=press.body["container"]["message_ts"], text=text, blocks=blocks
    )


def _place(body: Body, context: BoltContext) -> Place:
    """Where the message with the button is; on the Home tab, the conversation with the person."""
    container = body["container"]
    if "message_ts" not in container:
        return Place(team=context.team_id or "", channel=body["user"]["id"], thread_ts=None)
    message = {"ts": container["message_ts"], "thread_ts": container.get("thread_ts")}
    if message["thread_ts"] is None:
        message["thread_ts"] = (body.get("message") or {}).get("thread_ts")
    return place_of_message(context.team_id or "", container["channel_id"], message)
