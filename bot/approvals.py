"""A job above the limits -> a question to the approvers, and their answer -> a job, or none.

The gate sees every job that comes from Slack, whether by a form, a button or a sentence, before it is queued.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from slack_sdk import WebClient

from bot import launch_wording
from bot.access import Access, NotAllowed
from bot.inbound import Place
from bot.launches import Launch
from bot.people import mention
from bot.progress import send
from bot.render.approvals import asked_message, decided_message, limits_words, takes_words
from bot.surface import Surface
from finetune.effort import Effort
from finetune.jobs import Check, Wanted
from finetune.spec import EvaluationSpec, TuningSpec
from index.bilingual import Bilingual, Language
from index.errors import BadInput

logger = logging.getLogger(__name__)

_MOST_ASKED = 3


class NeedsApproval(NotAllowed):
    """The job was not queued: somebody has to say yes first. The message says who was asked."""

    def __init__(self, wanted: Wanted, effort: Effort, asked: tuple[str, ...], access: Access) -> None:
        words = {
            "approvers": ", ".join(mention(person) for person in asked[:_MOST_ASKED]),
        }
        sentence = launch_wording.NEEDS_APPROVAL
        super().__init__(
            Bilingual(
                en=sentence.en.format(
                    takes=takes_words(effort, "en"), limits=limits_words(access.limits, "en"), **words
                ),
                zh=sentence.zh.format(
                    takes=takes_words(effort, "zh"), limits=limits_words(access.limits, "zh"), **words
                ),
            )
        )
        self.wanted = wanted
        self.effort = effort
        self.asked = asked


def gate(access: Access, effort: Callable[[EvaluationSpec | TuningSpec], Effort]) -> Check | None:
    """What keeps a job above the limits out of the queue; None where there are no limits."""
    if not access.limits.are_set:
        return None

    def check(wanted: Wanted) -> None:
        """Raise NeedsApproval when somebody has to say yes first."""
        takes = effort(wanted.spec)
        if asked := access.must_approve(wanted.owner, takes):
            raise NeedsApproval(wanted, takes, asked, access)

    return check


def ask(surface: Surface, client: WebClient, need: NeedsApproval, place: Place, language: Language) -> None:
    """Ask the approvers, once: where the asker is, or each of them directly where they cannot read along."""
    launch = Launch(wanted=need.wanted, place=place, language=language)
    if not surface.launches.ask(launch):
        return
    name = surface.names.of(client, need.wanted.owner)
    message = asked_message(launch, need.effort, surface.access.limits, need.asked, name=name)
    if not place.is_direct:
        send(client, place, message, otherwise_to=need.asked[0])
        return
    for person in need.asked[:_MOST_ASKED]:
        client.chat_postMessage(channel=person, **message.arguments())


def decide(surface: Surface, client: WebClient, key: str, person: str, *, yes: bool) -> Bilingual | None:
    """Start the job, or do not. Returns what to tell who pressed when somebody was quicker."""
    launch = surface.launches.find(key)
    if launch is None:
        return launch_wording.DRAFT_GONE
    surface.access.require_approve(person)
    if not surface.launches.move(key, "asked", "approved" if yes else "declined", person):
        return _decided_already(surface, client, key)
    if yes:
        try:
            _start(surface, client, launch)
        except Exception:
            surface.launches.move(key, "approved", "asked")
            raise
    else:
        _tell_owner(surface, client, launch, person)
    logger.info("launch decided", extra={"key": key, "yes": yes})
    return None


def decided(
    surface: Surface, client: WebClient, key: str, person: str
) -> tuple[str, list[dict[str, object]]]:
    """Text and blocks of the question once it was answered."""
    launch = surface.launches.find(key)
    if launch is None:
        raise BadInput(launch_wording.DRAFT_GONE)
    job_id = surface.jobs.find(key)
    name = surface.names.of(client, launch.wanted.owner)
    message = decided_message(launch, by=surface.names.of(client, person), name=name, job_id=job_id)
    return message.text, list(message.blocks)


def _start(surface: Surface, client: WebClient, launch: Launch) -> None:
    wanted = launch.wanted
    job = surface.jobs.gated(None).submit(
        wanted.spec,
        dedupe_key=wanted.dedupe_key,
        owner=wanted.owner,
        thread=wanted.thread,
        terms=wanted.terms,
    )
    surface.jobs.ensure_worker()
    surface.cards.post(client, job, launch.place, launch.language)


def _tell_owner(surface: Surface, client: WebClient, launch: Launch, person: str) -> None:
    """Mention who asked: they wait for this."""
    by = surface.names.of(client, person)
    message = decided_message(launch, by=by, name=mention(launch.wanted.owner), job_id=None, declined=True)
    send(client, launch.place, message, otherwise_to=launch.wanted.owner)


def _decided_already(surface: Surface, client: WebClient, key: str) -> Bilingual:
    launch = surface.launches.find(key)
    state = launch.state if launch else "declined"
    by = surface.names.of(client, launch.decided_by) if launch and launch.decided_by else "?"
    words = launch_wording.DECIDED_NAMES.get(state, launch_wording.DECIDED_NAMES["declined"])
    sentence = launch_wording.ALREADY_DECIDED
    return Bilingual(
        en=sentence.en.format(by=by, state=words.en), zh=sentence.zh.format(by=by, state=words.zh)
    )
