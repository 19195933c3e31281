"""Turn a Turn into an answer in Slack: ask the skills, post what they say, and a card for each job begun.

This is the listener edge: whatever goes wrong, the person reads one sentence in their own language.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import approvals, deliveries, wording
from bot.approvals import NeedsApproval
from bot.failures import error_message
from bot.inbound import Place, message_key, turn_at
from bot.live import LiveMessage
from bot.progress import NO_ENTRY
from bot.render.answers import answer_messages
from bot.render.slack import Message, escaped, shortened, text_message
from bot.surface import Surface
from bot.wording import say
from index.bilingual import Language
from skills.conversation.answer import Answer
from skills.conversation.language import language_of
from skills.conversation.request import Turn

STARTING_SKILLS = frozenset({"evaluate", "finetune", "select-base"})
"""The skills that start jobs. Other answers, such as a list of jobs, name jobs that have their card already."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a turn."""

    exchange: int | None = None
    answers: tuple[str, ...] = ()
    """Times of the messages that answer it, in order."""


def answer_turn(
    surface: Surface,
    client: WebClient,
    turn: Turn,
    place: Place,
    *,
    heading: str | None = None,
    may_post: Callable[[], bool] = lambda: True,
) -> Outcome:
    """Answer one turn where it was said, unless nobody wants it any more when the answer is there."""
    live = LiveMessage(client, place, turn.person)
    answer, (first, *rest) = _ask(surface, client, turn, place, heading, live)
    if not may_post():
        live.discard()
        return Outcome()
    posted = [live.finish(first)]
    for message in rest:
        sent = client.chat_postMessage(
            channel=place.channel, thread_ts=place.thread_ts, **message.arguments()
        )
        posted.append(str(sent["ts"]))
    if answer:
        post_cards(surface, client, answer, place)
    return Outcome(answer.exchange if answer else None, tuple(posted))


def correct_answer(
    surface: Surface, client: WebClient, turn: Turn, place: Place, answers: Sequence[str]
) -> Outcome:
    """Answer a question anew in the messages that answered its first wording."""
    answer, messages = _ask(surface, client, turn, place, None, None)
    posted = list(answers[: len(messages)])
    for ts, message in zip(answers, messages, strict=False):
        client.chat_update(channel=place.channel, ts=ts, text=message.text, blocks=list(message.blocks))
    for message in messages[len(answers) :]:
        sent = client.chat_postMessage(
            channel=place.channel, thread_ts=place.thread_ts, **message.arguments()
        )
        posted.append(str(sent["ts"]))
    for ts in answers[len(messages) :]:
        client.chat_delete(channel=place.channel, ts=ts)
    if answer:
        post_cards(surface, client, answer, place)
    return Outcome(answer.exchange if answer else None, tuple(posted))


def show_question(surface: Surface, client: WebClient, question: str, person: str, place: Place) -> Place:
    """Show a question that only its asker saw, as the root of a thread; returns that thread."""
    heading = question_heading(surface, client, person, question, language_of(question))
    posted = client.chat_postMessage(channel=place.channel, **text_message("…", heading=heading).arguments())
    root = Place(team=place.team, channel=posted["channel"], thread_ts=posted["ts"])
    deliveries.claim(surface.engine, message_key(root, posted["ts"]))
    return root


def answer_in_root(surface: Surface, client: WebClient, question: str, person: str, root: Place) -> None:
    """Turn the message that shows a question into question and answer: follow-ups work as after a mention."""
    heading = question_heading(surface, client, person, question, language_of(question))
    turn = turn_at(root, question, person, key=message_key(root, str(root.thread_ts)))
    answer, (first, *rest) = _ask(surface, client, turn, root, heading, None)
    client.chat_update(
        channel=root.channel, ts=str(root.thread_ts), text=first.text, blocks=list(first.blocks)
    )
    for message in rest:
        client.chat_postMessage(channel=root.channel, thread_ts=root.thread_ts, **message.arguments())
    if answer:
        post_cards(surface, client, answer, root)


def post_cards(surface: Surface, client: WebClient, answer: Answer, place: Place) -> None:
    """Post a card for each job that an answer started, and see to it that somebody works on them."""
    if answer.skill not in STARTING_SKILLS or not answer.jobs:
        return
    for job_id in answer.jobs:
        surface.cards.post(client, surface.jobs.status(job_id), place, answer.language)
    surface.jobs.ensure_worker()


def question_heading(
    surface: Surface, client: WebClient, person: str, question: str, language: Language
) -> str:
    """`*Ana* asked: …` for questions that nobody else in the channel could see."""
    name = escaped(surface.names.of(client, person))
    return say(wording.ASKED, language, name=name, question=escaped(shortened(question, 500)))


def has_no_entry(error: SlackApiError) -> bool:
    """True when Slack does not let the bot into the channel."""
    return error.response["error"] in NO_ENTRY


def _ask(
    surface: Surface,
    client: WebClient,
    turn: Turn,
    place: Place,
    heading: str | None,
    live: LiveMessage | None,
) -> tuple[Answer | None, tuple[Message, ...]]:
    try:
        answer = surface.reply(turn, live.say if live else None)
    except NeedsApproval as need:
        approvals.ask(surface, client, need, place, language_of(turn.text))
        return None, (error_message(need, language_of(turn.text), heading=heading),)
    except Exception as error:  # the listener edge: any bug becomes an apology
        return None, (error_message(error, language_of(turn.text), heading=heading),)
    return answer, answer_messages(answer, heading=heading)
