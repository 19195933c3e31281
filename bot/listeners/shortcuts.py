"""The message shortcut "Ask Shortlist about this" -> a form with the message in it -> an answer in its thread."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from slack_bolt import Ack, App, BoltContext, Respond
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.answering import answer_turn, has_no_entry, question_heading
from bot.inbound import Place, plain_text, turn_at
from bot.listeners.forms import open_view
from bot.people import direct_place
from bot.render.asking import ASK_ABOUT, ask_form, origin_of, submitted
from bot.surface import Surface
from bot.wording import FIELD_EMPTY
from skills.conversation.language import language_of

SHORTCUT = "ask_about_message"


def register(app: App, surface: Surface) -> None:
    """Listen for the shortcut and its form."""

    @app.shortcut(SHORTCUT)
    def on_shortcut(
        ack: Ack, shortcut: Mapping[str, Any], context: BoltContext, client: WebClient, respond: Respond
    ) -> None:
        ack()
        message = shortcut["message"]
        text = plain_text(message.get("text") or "", context.bot_user_id or "")
        origin = {
            "channel": shortcut["channel"]["id"],
            "thread_ts": message.get("thread_ts") or message["ts"],
        }
        language = language_of(text)
        view = ask_form(text, origin, language)
        open_view(client, respond, view, trigger_id=shortcut["trigger_id"], language=language)

    @app.view(ASK_ABOUT)
    def on_question(ack: Ack, body: Mapping[str, Any], context: BoltContext, client: WebClient) -> None:
        origin, question = origin_of(body["view"]), submitted(body["view"])["question"]
        if not question:
            ack(response_action="errors", errors={"question": FIELD_EMPTY.to(origin["language"])})
            return
        ack()
        place = Place(team=context.team_id or "", channel=origin["channel"], thread_ts=origin["thread_ts"])
        person, key = body["user"]["id"], f"ask:{body['view']['id']}"
        surface.lines.add(place.thread, partial(_answer, surface, client, place, question, person, key))


def _answer(surface: Surface, client: WebClient, place: Place, question: str, person: str, key: str) -> None:
    """Answer in the thread of the message; to the person directly where we have no entry."""
    language = language_of(question)
    heading = question_heading(surface, client, person, question, language)
    try:
        answer_turn(surface, client, turn_at(place, question, person, key=key), place, heading=heading)
    except SlackApiError as error:
        if not has_no_entry(error) and error.response["error"] != "thread_not_found":
            raise
        direct = direct_place(client, place.team, person)
        answer_turn(surface, client, turn_at(direct, question, person, key=key), direct, heading=heading)
