"""Choices in a form that is open -> the form with what follows from them, while the person goes on filling it in.

The data that was chosen is read at once, so that what is wrong with it is said at its field; the files of the
thread come in when Slack has told them; "More options" shows all there are.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from slack_bolt import Ack, App
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import launch_wording
from bot.data_choice import PASTE, UPLOAD, Group, files_here
from bot.drafts import Draft
from bot.failures import error_sentence
from bot.form_reading import Reading
from bot.render.inputs import INPUT
from bot.render.modals import DATASET, MORE_ACTION, FormOrigin, form, opened
from bot.surface import Surface
from finetune.spec import DatasetRef
from index.bilingual import Language

logger = logging.getLogger(__name__)

Body = Mapping[str, Any]


def register(app: App, surface: Surface) -> None:
    """Listen for what changes while a form is open."""
    app.action({"block_id": DATASET, "action_id": INPUT})(partial(_data_chosen, surface))
    app.action(MORE_ACTION)(_show_more)


def fill_up(
    surface: Surface, client: WebClient, view: Body, draft: Draft, origin: FormOrigin, groups: list[Group]
) -> None:
    """After a form has opened: add the files of the place, and say what the data is that it starts with."""
    found, may_look = files_here(client, origin.place)
    notes = data_notes(surface, client, draft, origin.language)
    if not may_look and DATASET not in notes:
        notes[DATASET] = launch_wording.NO_CHANNEL_FILES.to(origin.language)
    if any(group.choices for group in found) or notes:
        _update(client, view, form(draft, origin, [*found, *groups], notes))


def data_notes(surface: Surface, client: WebClient, draft: Draft, language: Language) -> dict[str, str]:
    """What was recognised in the chosen data, or what is wrong with it; nothing where nothing is chosen yet."""
    chosen = draft.values.get(DATASET)
    if not chosen or chosen in (PASTE, UPLOAD):
        return {}
    reading = Reading(draft, surface.jobs, surface.data, client)
    try:
        dataset = reading.dataset()
    except Exception as error:  # the form stays usable: submitting it says the same again
        return {DATASET: f"✗ {error_sentence(error, language)}"}
    if dataset is None:
        return {DATASET: f"✗ {next(iter(reading.errors.values())).to(language)}"}
    return {DATASET: f"✓ {_seen(surface, dataset, language)}"}


def _seen(surface: Surface, dataset: DatasetRef, language: Language) -> str:
    lines = surface.jobs.describe_dataset(dataset)
    return lines[0].to(language) if lines else dataset.name


def _data_chosen(surface: Surface, ack: Ack, body: Body, client: WebClient) -> None:
    ack()
    draft, origin, groups = opened(body["view"])
    notes = data_notes(surface, client, draft, origin.language)
    _update(client, body["view"], form(draft, origin, groups, notes))


def _show_more(ack: Ack, body: Body, client: WebClient) -> None:
    ack()
    draft, origin, groups = opened(body["view"])
    _update(client, body["view"], form(draft, origin.model_copy(update={"more": True}), groups))


def _update(client: WebClient, view: Body, changed: Mapping[str, Any]) -> None:
    """Change a form that is open; one that changed or closed meanwhile stays as it is."""
    try:
        client.views_update(view_id=view["id"], hash=view.get("hash"), view=dict(changed))
    except SlackApiError as error:
        if error.response["error"] not in ("hash_conflict", "not_found", "view_not_found"):
            raise
        logger.info("form was not there any more", extra={"error": error.response["error"]})
