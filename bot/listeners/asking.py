"""`/shortlist` -> an answer in the channel, with the question shown; `/shortlist defaults` -> what the channel assumes."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from slack_sdk.errors import SlackApiError

from bot import ask_wording, orders, wording
from bot.answering import answer_in_root, answer_turn, has_no_entry, question_heading, show_question
from bot.defaults_words import NotRead, read_words, shown
from bot.failures import error_sentence
from bot.inbound import turn_at
from bot.listeners.forms import tell
from bot.listeners.typed import Typed
from bot.receiving import asks_too_much, count_in
from bot.render.slack import escaped
from bot.surface import Surface
from bot.wording import say
from skills.conversation.defaults import Defaults
from skills.conversation.language import language_of
from skills.conversation.request import Requirements, Turn

_DEFAULTS = re.compile(r"^(?:defaults?|默认(?:设置)?)\b\s*(?P<words>.*)$", re.IGNORECASE | re.DOTALL)
_CLEAR = re.compile(r"^(?:clear|reset|none|清除|清空)$", re.IGNORECASE)


def ask(surface: Surface, typed: Typed) -> None:
    """Answer the words after `/shortlist`, or show or change what the channel assumes."""
    if not typed.words:
        tell(typed.respond, wording.ASK_SOMETHING.to(typed.language(surface)))
    elif done := orders.carried_out(surface, typed.command.get("text") or "", typed.person):
        tell(typed.respond, done.to(typed.language(surface)))
    elif found := _DEFAULTS.match(typed.words):
        change = partial(_defaults, surface, typed, found["words"].strip())
        surface.lines.add(typed.place.thread, partial(_told, typed, change))
    elif _is_too_much(surface, typed):
        limit = surface.questions_per_minute
        tell(typed.respond, say(ask_wording.TOO_MANY, language_of(typed.words), limit=limit))
    elif typed.place.is_direct:
        surface.lines.add(typed.place.thread, partial(_told, typed, partial(_ask_directly, surface, typed)))
    else:
        _told(typed, partial(_ask_in_channel, surface, typed))


def _is_too_much(surface: Surface, typed: Typed) -> bool:
    key = f"command:{typed.command.get('trigger_id')}"
    count_in(surface, typed.place, typed.person, key)
    return asks_too_much(surface, typed.person)


def _ask_in_channel(surface: Surface, typed: Typed) -> None:
    """Show the question at once; the answer takes its place when it is there."""
    root = show_question(surface, typed.client, typed.words, typed.person, typed.place)
    answer = partial(answer_in_root, surface, typed.client, typed.words, typed.person, root)
    surface.lines.add(root.thread, partial(_told, typed, answer))


def _ask_directly(surface: Surface, typed: Typed) -> None:
    """In a direct message a command is one more turn of the running conversation."""
    heading = question_heading(surface, typed.client, typed.person, typed.words, language_of(typed.words))
    turn = turn_at(typed.place, typed.words, typed.person, key=typed.command.get("trigger_id"))
    answer_turn(surface, typed.client, turn, typed.place, heading=heading)


def _told(typed: Typed, act: Callable[[], None]) -> None:
    """Do it; what goes wrong is told to the person who typed, and to nobody else."""
    language = language_of(typed.words)
    try:
        act()
    except SlackApiError as error:
        sentence = wording.NOT_IN_CHANNEL.to(language) if has_no_entry(error) else ""
        tell(typed.respond, sentence or error_sentence(error, language))
    except Exception as error:  # the listener edge: any bug becomes an apology
        tell(typed.respond, error_sentence(error, language))


def _defaults(surface: Surface, typed: Typed, words: str) -> None:
    language = language_of(typed.words) if words else typed.language(surface)
    if typed.place.is_direct:
        tell(typed.respond, ask_wording.DEFAULTS_IN_DM.to(language))
        return
    scope = typed.place.scopes[0]
    if not words:
        held = shown(surface.defaults.holding(typed.place.scopes), language)
        sentence = say(ask_wording.DEFAULTS_SHOWN, language, defaults=escaped(held))
        tell(typed.respond, f"{sentence}\n{ask_wording.DEFAULTS_HELP.to(language)}")
        return
    happened = ask_wording.DEFAULTS_CHANGED
    if _CLEAR.match(words):
        surface.defaults.save(scope, Defaults(), person=typed.person)
        happened = ask_wording.DEFAULTS_CLEARED
    else:
        try:
            changed = read_words(words, partial(_understood, surface, typed))
        except NotRead:
            tell(typed.respond, say(ask_wording.DEFAULTS_NOT_READ, language, words=escaped(words)))
            return
        surface.defaults.save(scope, changed.over(surface.defaults.of(scope)), person=typed.person)
    held = shown(surface.defaults.holding(typed.place.scopes), language)
    name = escaped(surface.names.of(typed.client, typed.person))
    told = say(happened, language, name=name, defaults=escaped(held))
    typed.respond(text=told, response_type="in_channel", replace_original=False)


def _understood(surface: Surface, typed: Typed, words: str) -> Requirements:
    """What the words require, read as a new conversation."""
    turn = Turn(text=f"which model? {words}", thread=f"defaults:{typed.place.thread}", person=typed.person)
    return surface.read(turn).requirements
