"""A form -> the person who may use it, within the three seconds that Slack gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt import Respond
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import wording
from bot.data_choice import known_data
from bot.drafts import Draft
from bot.inbound import Place
from bot.listeners.choices import fill_up
from bot.render.modals import FormOrigin, form
from bot.render.slack import Block
from bot.surface import Surface
from index.bilingual import Language
from index.errors import ShortlistError

_TOO_LATE = frozenset({"expired_trigger_id", "trigger_expired", "exchanged_trigger_id"})


def open_form(  # noqa: PLR0913  who, where, with what
    surface: Surface,
    client: WebClient,
    respond: Respond,
    draft: Draft,
    *,
    place: Place,
    body: Mapping[str, Any],
    language: Language,
) -> None:
    """Open a form that starts a job, or tell the person why it does not open.

    It opens with what is known here; what Slack has to be asked for is added when it is open.
    """
    person = _person(body)
    try:
        surface.access.require_launch(person)
    except ShortlistError as error:
        tell(respond, error.to(language))
        return
    origin = FormOrigin.at(place, language)
    groups = known_data(surface.jobs, place, person, language)
    view = form(draft, origin, groups)
    opened = open_view(client, respond, view, trigger_id=body["trigger_id"], language=language)
    if opened is not None:
        fill_up(surface, client, opened, draft, origin, groups)


def open_view(
    client: WebClient, respond: Respond, view: Block, *, trigger_id: str, language: Language
) -> Block | None:
    """Open a view and return it as Slack keeps it, or say that it came too late."""
    try:
        opened: Block = client.views_open(trigger_id=trigger_id, view=view)["view"]
    except SlackApiError as error:
        if error.response["error"] not in _TOO_LATE:
            raise
        tell(respond, wording.TRIGGER_EXPIRED.to(language))
        return None
    return opened


class Direct(Respond):
    """Answers by a direct message, where a press was in no message that could be answered: on the Home tab."""

    def __init__(self, client: WebClient, person: str) -> None:
        super().__init__(response_url=None)
        self._client = client
        self._person = person

    def __call__(self, text: str = "", **_: Any) -> Any:  # type: ignore[override]
        """Say it to the person."""
        return self._client.chat_postMessage(channel=self._person, text=text)


def reaching(respond: Respond, client: WebClient, body: Mapping[str, Any]) -> Respond:
    """A way to answer a press wherever it was."""
    return respond if respond.response_url else Direct(client, _person(body))


def tell(respond: Respond, sentence: str) -> None:
    """Say something that only this person sees, and leave the message that they acted on as it is."""
    respond(text=sentence, response_type="ephemeral", replace_original=False)


def _person(body: Mapping[str, Any]) -> str:
    """Commands and interactions name the person in different places."""
    return str(body["user_id"] if "user_id" in body else body["user"]["id"])
