"""Slack's own Stop button of an agent session -> answers and jobs of that thread that are under way are stopped."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from slack_bolt import App, BoltContext
from slack_sdk import WebClient

from bot import agent, ask_wording, launch_wording
from bot.failures import error_sentence
from bot.inbound import Place
from bot.render.slack import text_message
from bot.surface import Surface
from bot.wording import say
from index.bilingual import Language
from index.errors import ShortlistError

logger = logging.getLogger(__name__)


def register(app: App, surface: Surface) -> None:
    """Listen for the native Stop."""

    @app.event("agent_session_stopped")
    def on_stop(event: Mapping[str, Any], context: BoltContext, client: WebClient) -> None:
        place = Place(team=context.team_id or "", channel=event["channel"], thread_ts=event.get("thread_ts"))
        if surface.inbox.drop_thread(place.thread):
            stopped = text_message(ask_wording.STOPPED.to(_language(surface, place)))
            client.chat_postMessage(channel=place.channel, thread_ts=place.thread_ts, **stopped.arguments())
        stop_jobs(surface, client, place, str(event.get("user") or ""))
        # Slack leaves it to us to say that nothing is under way any more.
        agent.end_session(client, place)


def stop_jobs(surface: Surface, client: WebClient, place: Place, person: str) -> None:
    """Stop every job whose card is in the thread and that this person may stop, and say which."""
    stopped, refusals, language = [], [], _language(surface, place)
    for job_id in surface.cards.open_in(place.channel, place.thread_ts):
        job = surface.jobs.status(job_id)
        try:
            surface.access.require_stop(person, job)
            if not surface.jobs.cancel(job_id).is_finished:
                surface.jobs.ensure_worker()
            stopped.append(job_id)
        except ShortlistError as error:
            refusals.append(error_sentence(error, language))
        surface.cards.refresh(client, job_id)
    if stopped:
        refusals.insert(0, say(launch_wording.STOPPED_NATIVELY, language, job_ids=", ".join(stopped)))
    for sentence in refusals:
        message = text_message(sentence)
        client.chat_postMessage(channel=place.channel, thread_ts=place.thread_ts, **message.arguments())


def _language(surface: Surface, place: Place) -> Language:
    last = surface.threads.last(place.thread)
    return last.request.language if last else "en"
