"""Turn a Turn into an answer in Slack: ask the skills, post what they say, and a card for each job begun.

This is the listener edge: whatever goes wrong, the person reads one sentence in their own language.
"""

from __future__ import annotations

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import deliveries, wording
from bot.failures import error_message
from bot.inbound import Place, message_key
from bot.progress import NO_ENTRY
from bot.render.slack import Message, answer_messages, escaped, shortened, text_message
from bot.surface import Surface
from bot.wording import say
from index.bilingual import Language
from skills.conversation.answer import Answer
from skills.conversation.language import language_of
from skills.conversation.request import Turn

STARTING_SKILLS = frozenset({"evaluate", "finetune"})
"""The skills that start jobs. Other answers, such as a list of jobs, name jobs that have their card already."""


def answer_turn(
    surface: Surface, client: WebClient, turn: Turn, place: Place, *, heading: str | None = None
) -> None:
    """Answer one turn where it was said."""
    answer, messages = _ask(surface, turn, heading)
    for message in messages:
        client.chat_postMessage(channel=place.channel, thread_ts=place.thread_ts, **message.arguments())
    if answer:
        post_cards(surface, client, answer, place)


def answer_under_question(
    surface: Surface, client: WebClient, turn_text: str, person: str, place: Place
) -> None:
    """Show a question in the channel, then turn that same message into question and answer.

    The message becomes the root of a thread, so that follow-ups work as after a mention.
    """
    language = language_of(turn_text)
    heading = question_heading(surface, client, person, turn_text, language)
    waiting = text_message("…", heading=heading)
    posted = client.chat_postMessage(channel=place.channel, **waiting.arguments())
    root = Place(team=place.team, channel=posted["channel"], thread_ts=posted["ts"])
    deliveries.claim(surface.engine, message_key(root, posted["ts"]))
    turn = Turn(text=turn_text, thread=root.thread, person=person, key=message_key(root, posted["ts"]))
    answer, (first, *rest) = _ask(surface, turn, heading)
    client.chat_update(channel=root.channel, ts=posted["ts"], text=first.text, blocks=list(first.blocks))
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


def _ask(surface: Surface, turn: Turn, heading: str | None) -> tuple[Answer | None, tuple[Message, ...]]:
    try:
        answer = surface.reply(turn)
    except Exception as error:  # the listener edge: any bug becomes an apology
        return None, (error_message(error, language_of(turn.text), heading=heading),)
    return answer, answer_messages(answer, heading=heading)
