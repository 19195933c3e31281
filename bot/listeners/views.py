"""Submitted forms -> what it will take, and from there -> a job. What is wrong is said at the field.

Slack waits three seconds for the verdict. A look-up that takes longer, such as a large file or a slow model hub,
goes on while a view says so; what is wrong is then said there, with the way back to the form as it was filled in.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import Executor, Future, wait
from functools import partial
from typing import Any

from slack_bolt import Ack, App
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import approvals, launch_wording
from bot.approvals import NeedsApproval
from bot.callers import CallerPool
from bot.failures import error_message, error_sentence
from bot.form_reading import Reading, Spec
from bot.launches import Launch
from bot.listeners.races import Verdict, look_at_race, start_race
from bot.render.confirm import CONFIRM, checking_view, confirm_view, problem_view
from bot.render.modals import EVALUATE, FINETUNE, FormOrigin, opened
from bot.render.slack import shortened
from bot.surface import Surface
from bot.wording import say
from finetune.errors import NothingToLearn
from finetune.jobs import Wanted
from finetune.selections import SelectionSpec
from finetune.spec import EvaluationSpec
from index.bilingual import Bilingual, Language
from index.errors import BadInput

logger = logging.getLogger(__name__)

Body = Mapping[str, Any]

VERDICT_S = 1.8
"""Longest wait for the look-ups of a form; Slack's is three seconds, network included."""
_LOOKUP_THREADS = 8
_ERROR_CHARS = 500
_TRIES = 10
_BETWEEN_TRIES_S = 0.3


def register(app: App, surface: Surface) -> None:
    """Listen for the two forms that start jobs, and for the view behind them."""
    lookups = CallerPool(_LOOKUP_THREADS, thread_name_prefix="form-lookup")
    for callback in (EVALUATE, FINETUNE):
        app.view(callback)(partial(_submit, surface, lookups))
    app.view(CONFIRM)(partial(_confirmed, surface))


def _submit(surface: Surface, lookups: Executor, ack: Ack, body: Body, client: WebClient) -> None:
    _draft, origin, _groups = opened(body["view"])
    looking = lookups.submit(_look, surface, body, client)
    wait([looking], timeout=VERDICT_S)
    if not looking.done():
        name = f"check-{uuid.uuid4().hex}"
        ack(response_action="push", view=checking_view(origin.language) | {"external_id": name})
        _show_when_done(client, looking, name, origin.language)
        return
    try:
        verdict = looking.result()
    except Exception as error:  # the listener edge: any bug becomes an apology
        problems = {"": error_sentence(error, origin.language)}
        ack(response_action="push", view=problem_view(problems, origin.language))
        return
    if verdict.view is not None:
        ack(response_action="push", view=verdict.view)
    else:
        ack(response_action="errors", errors=_field_errors(verdict.errors, body["view"], origin.language))


def _look(surface: Surface, body: Body, client: WebClient) -> Verdict:
    """Read the form, keep what it asks for, and reckon what it takes."""
    draft, origin, _groups = opened(body["view"])
    reading = Reading(draft, surface.jobs, surface.data, client)
    spec = reading.spec()
    if spec is None:
        return Verdict(None, reading.errors)
    if isinstance(spec, SelectionSpec):
        return look_at_race(surface, spec, body, origin)
    return _look_at_job(surface, spec, body, origin)


def _look_at_job(surface: Surface, spec: Spec, body: Body, origin: FormOrigin) -> Verdict:
    person: str = body["user"]["id"]
    try:
        spec = surface.jobs.checked(spec)
    except NothingToLearn as error:
        return Verdict(None, {"dataset": error.message})
    except BadInput as error:
        return Verdict(
            None, {"candidates" if isinstance(spec, EvaluationSpec) else "base_model": error.message}
        )
    effort = surface.jobs.effort(spec)
    if not effort.runs:
        _label, reason = effort.refusals[0]
        return Verdict(None, {"candidates": reason})
    try:
        surface.access.require_launch(person)
        approvers = surface.access.must_approve(person, effort)
    except BadInput as error:
        return Verdict(problem_view({"": error.to(origin.language)}, origin.language), {})
    wanted = Wanted(
        spec=spec, dedupe_key=f"view:{body['view']['id']}", owner=person, thread=origin.place.thread
    )
    surface.launches.keep(Launch(wanted=wanted, place=origin.place, language=origin.language))
    recognised, sent = surface.jobs.describe_dataset(spec.dataset), surface.jobs.leaving(spec)
    view = confirm_view(
        wanted.dedupe_key,
        spec,
        effort,
        recognised=[*recognised, *([sent] if sent else [])],
        limits=surface.access.limits,
        approvers=approvers,
        language=origin.language,
    )
    return Verdict(view, {})


def _show_when_done(client: WebClient, looking: Future[Verdict], name: str, language: Language) -> None:
    """Put the verdict where the view says that we are at it. A person who closed that one has left."""
    try:
        verdict = looking.result()
        problems = {field: message.to(language) for field, message in verdict.errors.items()}
        view = verdict.view or problem_view(problems, language)
    except Exception as error:  # the listener edge: any bug becomes an apology
        view = problem_view({"": error_sentence(error, language)}, language)
    for _ in range(_TRIES):
        try:
            client.views_update(external_id=name, view=view | {"external_id": name})
        except SlackApiError as refusal:
            # Slack may not have taken our answer yet, so that there is no such view.
            if refusal.response["error"] != "not_found":
                raise
            time.sleep(_BETWEEN_TRIES_S)
        else:
            return
    logger.info("form was closed before its verdict")


def _confirmed(surface: Surface, ack: Ack, body: Body, client: WebClient) -> None:
    """Start what was confirmed. The form's key is the job's: confirmed twice is one job."""
    ack(response_action="clear")
    person: str = body["user"]["id"]
    launch = surface.launches.find(body["view"]["private_metadata"])
    language: Language = launch.language if launch else "en"
    try:
        if launch is None or launch.wanted.owner != person:
            raise BadInput(launch_wording.DRAFT_GONE)
        if launch.race is not None:
            start_race(surface, client, launch)
        else:
            _start(surface, client, launch)
    except Exception as error:  # the listener edge: any bug becomes an apology
        client.chat_postMessage(channel=person, **error_message(error, language).arguments())


def _start(surface: Surface, client: WebClient, launch: Launch) -> None:
    """Submit and show the card, or ask who has to approve."""
    wanted = launch.wanted
    surface.access.require_launch(wanted.owner)
    try:
        job = surface.jobs.submit(
            wanted.spec, dedupe_key=wanted.dedupe_key, owner=wanted.owner, thread=wanted.thread
        )
    except NeedsApproval as need:
        approvals.ask(surface, client, need, launch.place, launch.language)
        return
    surface.jobs.ensure_worker()
    surface.cards.post(client, job, launch.place, launch.language)
    logger.info("job started from a form", extra={"job_id": job.id, "kind": wanted.spec.kind})


def _field_errors(errors: Mapping[str, Bilingual], view: Body, language: Language) -> dict[str, str]:
    """By block. What is wrong with a field that is not shown is said at the last one that is."""
    shown = [block["block_id"] for block in view["blocks"] if block["type"] == "input"]
    told: dict[str, str] = {}
    for name, message in errors.items():
        words = message.to(language)
        if name not in shown:
            words = say(launch_wording.SEE_MORE, language, problem=words)
        told[name if name in shown else shown[-1]] = shortened(words, _ERROR_CHARS)
    return told
