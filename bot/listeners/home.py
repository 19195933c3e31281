"""The Home tab and the agent's own conversation opened -> what concerns the person, and what one may ask first."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from slack_bolt import Ack, App, BoltContext, Respond
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import agent, ask_wording
from bot.defaults_words import read_form, shown
from bot.listeners.forms import open_view, reaching
from bot.render.asking import SAVE_DEFAULTS, defaults_form, origin_of, submitted
from bot.render.home import CatalogueAge, HomeContent, home_view
from bot.render.slack import ACTION_PREFIX
from bot.surface import Surface
from index.bilingual import Language
from skills.conversation.threads import Exchange

logger = logging.getLogger(__name__)

_QUESTIONS = 8


def register(app: App, surface: Surface) -> None:
    """Listen for what opens, and for the form of the team's defaults."""

    @app.event("app_home_opened")
    def on_open(event: Mapping[str, Any], context: BoltContext, client: WebClient) -> None:
        person, team = event["user"], context.team_id or ""
        if event.get("tab") == "messages":
            agent.suggest(client, event["channel"], None, _language(surface, person))
        elif event.get("tab") == "home":
            surface.lines.add(f"home:{person}", partial(publish, surface, client, person, team))

    @app.event("assistant_thread_started")
    def on_thread(event: Mapping[str, Any], client: WebClient) -> None:
        thread = event["assistant_thread"]
        language = _language(surface, thread["user_id"])
        agent.suggest(client, thread["channel_id"], thread["thread_ts"], language)

    @app.event("assistant_thread_context_changed")
    def on_context() -> None:
        """Where they look while they talk to us makes no difference to the answer."""

    @app.action(f"{ACTION_PREFIX}change_defaults")
    def on_change(
        ack: Ack, body: Mapping[str, Any], context: BoltContext, client: WebClient, respond: Respond
    ) -> None:
        ack()
        person, team = body["user"]["id"], context.team_id or ""
        language = _language(surface, person)
        view = defaults_form(surface.defaults.of(team), {"team": team}, language)
        open_view(
            client,
            reaching(respond, client, body),
            view,
            trigger_id=body["trigger_id"],
            language=language,
        )

    @app.view(SAVE_DEFAULTS)
    def on_save(ack: Ack, body: Mapping[str, Any], context: BoltContext, client: WebClient) -> None:
        person, team = body["user"]["id"], context.team_id or ""
        language: Language = origin_of(body["view"])["language"]
        defaults, errors = read_form(submitted(body["view"]))
        if not may_change(surface, person):
            errors = {"gpu_count": ask_wording.NOT_YOURS_TO_CHANGE}
        if errors:
            told = {name: message.to(language) for name, message in errors.items()}
            ack(response_action="errors", errors=told)
            return
        surface.defaults.save(team, defaults, person=person)
        ack()
        logger.info("team defaults changed", extra={"team": team, "person": person})
        surface.lines.add(f"home:{person}", partial(publish, surface, client, person, team))


def may_change(surface: Surface, person: str) -> bool:
    """True for administrators; for everybody where there are none."""
    return surface.access.may("defaults", person)


def publish(surface: Surface, client: WebClient, person: str, team: str) -> None:
    """Show a person their Home tab as it is now."""
    language = _language(surface, person)
    view = home_view(_content(surface, person, team, language), language)
    try:
        client.views_publish(user_id=person, view=view)
    except SlackApiError as error:
        logger.info("home tab not published", extra={"error": error.response["error"]})


def _content(surface: Surface, person: str, team: str, language: Language) -> HomeContent:
    jobs = surface.jobs.list(owner=person)
    asked = [one for one in surface.threads.recent_by(person, 3 * _QUESTIONS) if _was_typed(one)]
    return HomeContent(
        jobs=jobs,
        outlooks=surface.jobs.outlooks(jobs),
        questions=[(one.request.turn.text, _channel(one)) for one in asked[:_QUESTIONS]],
        defaults=shown(surface.defaults.of(team), language),
        may_change=may_change(surface, person),
        data_sets=surface.jobs.dataset_names(),
        catalogue=_catalogue_age(surface),
    )


def _was_typed(exchange: Exchange) -> bool:
    """A question in Slack; what a button says for somebody follows an exchange that it names."""
    turn = exchange.request.turn
    return bool(turn.scopes) and (turn.after is None or (turn.key or "").endswith(":edit"))


def _catalogue_age(surface: Surface) -> CatalogueAge | None:
    if surface.desk is None:
        return None
    catalogue = surface.desk.catalogue
    updated = date.fromisoformat(str(catalogue.updated)[:10])
    return CatalogueAge(
        updated=updated,
        models=len(catalogue.models),
        figures=len(catalogue.evidence),
        days=max((datetime.now(UTC).date() - updated).days, 0),
    )


def _channel(exchange: Exchange) -> str:
    """The channel that a question was asked in, as Slack calls it; "" for a direct message."""
    parts = exchange.request.turn.thread.split(":")
    channel = parts[1] if len(parts) > 1 else ""
    return "" if channel.startswith("D") else channel


def _language(surface: Surface, person: str) -> Language:
    last = surface.threads.last_by(person)
    return last.request.language if last else "en"
