"""A form with several bases -> what their race will take, and from there -> the race, told of in its thread."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from slack_sdk import WebClient
from slack_sdk.web import SlackResponse

from bot import wording
from bot.inbound import Place
from bot.launches import Launch
from bot.people import mention
from bot.progress import send
from bot.render.answers import answer_messages
from bot.render.confirm import confirm_race_view, problem_view
from bot.render.modals import FormOrigin
from bot.render.slack import Block
from bot.surface import Surface
from finetune.effort import Effort
from finetune.jobs import Wanted
from finetune.selections import Selections, SelectionSpec
from index.bilingual import Bilingual
from index.errors import BadInput
from skills.select_base import begun

logger = logging.getLogger(__name__)

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of looking at a form: the view before the start, or what is wrong by field."""

    view: Block | None
    errors: Mapping[str, Bilingual]


def look_at_race(surface: Surface, race: SelectionSpec, body: Body, origin: FormOrigin) -> Verdict:
    """Keep what the form asks for, and reckon what it takes."""
    person: str = body["user"]["id"]
    try:
        for candidate in race.candidates:
            surface.jobs.checked(candidate)
    except BadInput as error:
        return Verdict(None, {"base_model": error.message})
    effort = _together([surface.jobs.effort(candidate) for candidate in race.candidates], race)
    try:
        surface.access.require_launch(person)
        if approvers := surface.access.must_approve(person, effort):
            some = ", ".join(mention(one) for one in approvers[:3])
            raise BadInput(wording.filled(wording.RACE_ABOVE_LIMIT, approvers=some))
    except BadInput as error:
        return Verdict(problem_view({"": error.to(origin.language)}, origin.language), {})
    first = race.candidates[0]
    key = f"view:{body['view']['id']}"
    wanted = Wanted(spec=first, dedupe_key=key, owner=person, thread=origin.place.thread)
    surface.launches.keep(Launch(wanted=wanted, place=origin.place, language=origin.language, race=race))
    recognised = surface.jobs.describe_dataset(first.dataset)
    return Verdict(confirm_race_view(key, race, effort, recognised=recognised, language=origin.language), {})


def start_race(surface: Surface, client: WebClient, launch: Launch) -> None:
    """Begin what was confirmed, once: say the plan, and post a card for each first run in its thread."""
    assert launch.race is not None  # noqa: S101 - the caller has looked
    wanted, place = launch.wanted, launch.place
    surface.access.require_launch(wanted.owner)
    races = Selections(surface.engine, surface.jobs)
    is_new = not races.is_known(wanted.dedupe_key)
    race = races.start(launch.race, dedupe_key=wanted.dedupe_key, owner=wanted.owner, thread=wanted.thread)
    surface.jobs.ensure_worker()
    if not is_new:
        return
    answer = begun(race, launch.language)
    for message in answer_messages(answer):
        posted = send(client, place, message, otherwise_to=wanted.owner)
        place = _thread_of(place, posted)
    for job_id in answer.jobs:
        surface.cards.post(client, surface.jobs.status(job_id), place, launch.language)
    logger.info("race started from a form", extra={"selection": race.id})


def _thread_of(place: Place, posted: SlackResponse) -> Place:
    """Under the plan, where that is a message of its own in a channel."""
    is_elsewhere = posted["channel"] != place.channel
    thread_ts = posted["ts"] if is_elsewhere or place.thread_ts is None else place.thread_ts
    return replace(place, channel=posted["channel"], thread_ts=thread_ts)


def _together(efforts: Sequence[Effort], race: SelectionSpec) -> Effort:
    """One after the other, and no longer than the budget."""
    first = efforts[0]
    seconds, usd, memory = (
        [getattr(one, name) for one in efforts] for name in ("seconds", "device_usd", "memory_gib")
    )
    all_s = None if None in seconds else sum(seconds)
    all_usd = None if None in usd else sum(usd)
    if race.budget_s is not None and all_s is not None and all_s > race.budget_s:
        all_usd = all_usd and all_usd * race.budget_s / all_s
        all_s = race.budget_s
    return replace(
        first,
        seconds=all_s if all_s is not None else race.budget_s,
        device_usd=all_usd,
        memory_gib=None if None in memory else max(memory),
        was_measured=all(one.was_measured for one in efforts),
        refusals=(),
        n_candidates=len(efforts),
    )
