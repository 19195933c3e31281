"""A form -> the person who may use it, within the three seconds that Slack gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt import Respond
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import wording
from bot.render.slack import Block
from bot.surface import Surface
from index.bilingual import Language
from index.errors import ShortlistError

_TOO_LATE = frozenset({"expired_trigger_id", "trigger_expired", "exchanged_trigger_id"})


def open_form(
    surface: Surface,
    client: WebClient,
    respond: Respond,
    view: Block,
    *,
    body: Mapping[str, Any],
    language: Language,
) -> None:
    """Open a form that starts a job, or tell the person why it does not open."""
    try:
        surface.access.require_launch(_person(body))
    except ShortlistError as error:
        tell(respond, error.to(language))
        return
    open_view(client, respond, view, trigger_id=body["trigger_id"], language=language)


def open_view(
    client: WebClient, respond: Respond, view: Block, *, trigger_id: str, language: Language
) -> None:
    """Open a view, or say that it came too late."""
    try:
        client.views_open(trigger_id=trigger_id, view=view)
    except SlackApiError as error:
        if error.response["error"] not in _TOO_LATE:
            raise
        tell(respond, wording.TRIGGER_EXPIRED.to(language))


def tell(respond: Respond, sentence: str) -> None:
    """Say something that only this person sees, and leave the message that they acted on as it is."""
    respond(text=sentence, response_type="ephemeral", replace_original=False)


def _person(body: Mapping[str, Any]) -> str:
    """Commands and interactions name the person in different places."""
    return str(body["user_id"] if "user_id" in body else body["user"]["id"])
