"""Buttons under an answer -> more of it in the thread, or the same message ranked anew.

A button means the answer that it stands under, however old and whatever was said since.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from slack_bolt import Ack, App, BoltContext, Respond
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import ask_wording, wording
from bot.answering import answer_turn, has_no_entry, post_cards, question_heading
from bot.failures import error_sentence
from bot.inbound import turn_at
from bot.listeners.actions import Press, press_of
from bot.listeners.forms import tell
from bot.receiving import asks_too_much, count_in
from bot.render.answers import answer_messages, details_messages
from bot.render.slack import ACTION_PREFIX, SECTION_CHARS, Block, escaped, shortened
from bot.surface import Surface
from bot.wording import say
from skills.conversation.threads import Exchange
from skills.recommend import chart

logger = logging.getLogger(__name__)

Handle = Callable[[Surface, Press], None]

_IN_THE_THREAD = "explain|excluded|compare|ask"
_IN_PLACE = "cheaper|faster|better|less_memory"
_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})


def register(app: App, surface: Surface) -> None:
    """Listen for the buttons of answers."""
    for names, handle in (
        (_IN_THE_THREAD, _ask),
        (_IN_PLACE, _rank_again),
        ("details", _show_details),
        ("chart", _draw),
    ):
        app.action(re.compile(rf"{ACTION_PREFIX}(?:{names})(?:_\d+)?$"))(partial(_pressed, surface, handle))


def _pressed(  # noqa: PLR0913, PLR0917  Bolt fills these in by name
    surface: Surface,
    handle: Handle,
    ack: Ack,
    body: Mapping[str, Any],
    context: BoltContext,
    client: WebClient,
    respond: Respond,
) -> None:
    """Acknowledge, and get in the line of the thread: answers of one thread come in order."""
    ack()
    needs = "say" if handle in (_ask, _rank_again) else ""
    press = press_of(body, context, client, respond, needs)
    if press is None or not count_in(surface, press.place, press.person, f"press:{press.key}"):
        return
    if asks_too_much(surface, press.person):
        limit = surface.questions_per_minute
        tell(respond, say(ask_wording.TOO_MANY, press.language, limit=limit))
        return
    surface.lines.add(press.place.thread, partial(_handled, surface, handle, press))


def _handled(surface: Surface, handle: Handle, press: Press) -> None:
    try:
        handle(surface, press)
    except SlackApiError as error:
        code = error.response["error"]
        if code in _GONE:
            tell(press.respond, ask_wording.MESSAGE_GONE.to(press.language))
        elif has_no_entry(error):
            tell(press.respond, wording.NOT_IN_CHANNEL.to(press.language))
        else:
            tell(press.respond, error_sentence(error, press.language))
        logger.info("button not followed", extra={"error": code})
    except Exception as error:  # the listener edge: any bug becomes an apology
        tell(press.respond, error_sentence(error, press.language))


def _ask(surface: Surface, press: Press) -> None:
    """Ask the button's sentence in the thread, and show that somebody asked."""
    question = str(press.value["say"])
    if "exchange" in press.value and _exchange(surface, press) is None:
        return
    heading = question_heading(surface, press.client, press.person, question, press.language)
    turn = turn_at(press.place, question, press.person, key=press.key, after=press.value.get("exchange"))
    answer_turn(surface, press.client, turn, press.place, heading=heading)


def _rank_again(surface: Surface, press: Press) -> None:
    """Rank anew, with one wish more, in the very message; a button of before such edits asks in the thread."""
    if "exchange" not in press.value:
        _ask(surface, press)
        return
    if _exchange(surface, press) is None:
        return
    turn = turn_at(
        press.place, str(press.value["say"]), press.person, key=press.key, after=press.value["exchange"]
    )
    answer = surface.reply(turn, None)
    message, *rest = answer_messages(answer, heading=_heading(surface, press))
    press.client.chat_update(
        channel=press.place.channel,
        ts=press.body["container"]["message_ts"],
        text=message.text,
        blocks=list(message.blocks),
    )
    for more in rest:
        press.client.chat_postMessage(
            channel=press.place.channel, thread_ts=press.place.thread_ts, **more.arguments()
        )
    post_cards(surface, press.client, answer, press.place)


def _heading(surface: Surface, press: Press) -> str:
    """The question that the message showed before, and what has been wished since."""
    name = escaped(surface.names.of(press.client, press.person))
    wish = escaped(press.body["actions"][0]["text"]["text"])
    line = say(ask_wording.RANKED_AGAIN, press.language, name=name, wish=wish)
    blocks: list[Block] = (press.body.get("message") or {}).get("blocks") or []
    before = blocks[0]["elements"][0]["text"] if blocks and blocks[0]["type"] == "context" else ""
    return shortened("\n".join(part for part in (before, line) if part), SECTION_CHARS)


def _show_details(surface: Surface, press: Press) -> None:
    exchange = _exchange(surface, press)
    if exchange is None:
        return
    messages = details_messages(exchange.answer)
    if not messages:
        tell(press.respond, ask_wording.NOTHING_MORE.to(press.language))
    for message in messages:
        press.client.chat_postMessage(
            channel=press.place.channel, thread_ts=press.place.thread_ts, **message.arguments()
        )


def _draw(surface: Surface, press: Press) -> None:
    """Draw the ranking, and put the picture into the thread."""
    exchange = _exchange(surface, press)
    if exchange is None or surface.desk is None:
        return
    picture = chart(exchange.answer, surface.desk)
    title = ask_wording.CHART_TITLE.to(press.language)
    try:
        press.client.files_upload_v2(
            channel=press.place.channel,
            thread_ts=press.place.thread_ts,
            content=picture,
            filename="ranking.png",
            title=title,
            alt_txt=title,
        )
    except SlackApiError as error:
        code = error.response["error"]
        tell(press.respond, say(ask_wording.CHART_NOT_SENT, press.language, error=code))


def _exchange(surface: Surface, press: Press) -> Exchange | None:
    """The answer that the button stands under; when it is forgotten, the person is told."""
    number = press.value.get("exchange")
    found = surface.threads.exchange(number) if isinstance(number, int) else None
    if found is None or found.request.turn.thread != press.place.thread:
        tell(press.respond, ask_wording.FORGOTTEN.to(press.language))
        return None
    return found
