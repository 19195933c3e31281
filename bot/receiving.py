"""What Slack delivers about messages -> each question answered once, in the order of its thread.

A question is in the inbox before Slack is told that it arrived; it is answered by a pool, later. What becomes of the
question in the meantime is minded: a changed one is answered anew in the same message, a deleted one not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event as Flag
from threading import Thread
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import agent, ask_wording, deliveries
from bot.answering import Outcome, answer_turn, correct_answer
from bot.inbound import (
    Place,
    addresses_somebody_else,
    is_from_a_person,
    mentions,
    message_key,
    place_of_message,
    turn_of_message,
)
from bot.inbox import Received
from bot.progress import NO_ENTRY
from bot.surface import Surface
from bot.wording import say
from index.caller import Caller, calling, current_request_id, new_request_id
from skills.conversation.language import language_of

logger = logging.getLogger(__name__)

Event = Mapping[str, Any]

QUIET = timedelta(days=1)
"""After so long a silence a thread is not ours any more: whoever wants us says so."""
_BUSY_RETRY_S = 0.5
_MINUTE_S = 60
_NO_TOKEN = frozenset({"token_revoked", "invalid_auth", "account_inactive", "token_expired", "not_authed"})
_NOWHERE = NO_ENTRY | {"thread_not_found", "message_not_found", "user_not_found", "account_inactive"}
"""Answers of Slack that mean: there is no place for the answer any more."""


def receive(surface: Surface, client: WebClient, event: Event, *, team: str, bot_user: str) -> None:
    """Take in what Slack tells of a message. Raises when the store does not take it: Slack then tells it again."""
    subtype = event.get("subtype")
    if subtype == "message_changed":
        _on_change(surface, client, event, team=team, bot_user=bot_user)
    elif subtype == "message_deleted":
        _on_deletion(surface, client, event, team=team)
    elif is_from_a_person(event) and event["user"] != bot_user:
        place = place_of_message(team, event["channel"], event)
        if event["type"] == "app_mention" or _is_for_us(surface, place, event, bot_user):
            _take_in(surface, client, place, event, bot_user)


def answer_next(surface: Surface, client: WebClient, thread: str) -> None:
    """Answer the oldest message of a thread that waits."""
    taken = surface.inbox.take(thread)
    if taken == "busy":
        again = partial(answer_next, surface, client, thread)
        surface.lines.add_later(thread, again, _BUSY_RETRY_S)
    elif taken is not None:
        with calling(_caller(taken.event)):
            _answer(surface, client, taken)


def resume(surface: Surface, client_of: Callable[[str], WebClient | None], *, is_alone: bool) -> None:
    """Go on with what was received and not answered, by this bot before a restart or by another that has died."""
    for received in surface.inbox.resume(is_alone=is_alone):
        client = client_of(str(received.event["team"]))
        if client is not None:
            surface.lines.add(received.thread, partial(answer_next, surface, client, received.thread))


class Sweeper:
    """A thread that takes up, now and then, what another bot of the same store has left."""

    def __init__(self, sweep: Callable[[], None], *, interval_s: float = 60.0) -> None:
        self._sweep = sweep
        self._interval_s = interval_s
        self._stopped = Flag()
        self._thread = Thread(target=self._run, name="inbox-sweeper", daemon=True)

    def start(self) -> None:
        """Begin, one interval from now."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round that is under way."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            try:
                self._sweep()
            except Exception:
                logger.exception("inbox not swept")


def _is_for_us(surface: Surface, place: Place, event: Event, bot_user: str) -> bool:
    """Direct messages, mentions, and what is said in a thread where we take part and somebody spoke of late."""
    if place.is_direct or mentions(event, bot_user):
        return True
    if "thread_ts" not in event or addresses_somebody_else(event):
        return False
    return takes_part(surface, place, datetime.now(UTC))


def takes_part(surface: Surface, place: Place, now: datetime) -> bool:
    """True where something was said to us within a day, or under a job card of ours."""
    root_key = message_key(place, place.thread_ts or "")
    claimed = deliveries.claimed_at_utc(surface.engine, root_key)
    said = [
        surface.threads.last_at(place.thread),
        surface.inbox.last_at(place.thread),
        datetime.fromisoformat(claimed) if claimed else None,
    ]
    if any(at is not None and now - at < QUIET for at in said):
        return True
    return all(at is None for at in said) and surface.cards.is_card(place.channel, place.thread_ts or "")


def _take_in(surface: Surface, client: WebClient, place: Place, event: Event, bot_user: str) -> None:
    received = Received(
        key=message_key(place, event["ts"]),
        thread=place.thread,
        person=event["user"],
        ts=event["ts"],
        event=_kept(place, event, bot_user),
    )
    if surface.inbox.put(received):
        surface.lines.add(place.thread, partial(answer_next, surface, client, place.thread))
    else:
        logger.info("message delivered again", extra={"channel": place.channel})


def _kept(place: Place, event: Event, bot_user: str) -> dict[str, Any]:
    return {
        "team": place.team,
        "channel": place.channel,
        "thread_ts": place.thread_ts,
        "user": event["user"],
        "ts": event["ts"],
        "text": event.get("text", ""),
        "bot_user": bot_user,
        "request_id": current_request_id() or new_request_id(),
    }


def _caller(kept: Event) -> Caller:
    """Whoever said it, under the request in which it came, whichever thread answers it and when."""
    surface = "mention" if mentions(kept, kept["bot_user"]) else "message"
    request_id = kept.get("request_id") or new_request_id()
    return Caller(person=kept["user"], surface=surface, channel=kept["channel"], request_id=request_id)


def _answer(surface: Surface, client: WebClient, received: Received) -> None:
    place, event = _place(received.event), received.event
    outcome = Outcome()
    try:
        if _asks_too_much(surface, client, received):
            return
        turn = turn_of_message(place, event, event["bot_user"])
        with agent.at_work(client, place, turn.text):
            outcome = answer_turn(
                surface, client, turn, place, may_post=lambda: surface.inbox.start_posting(received.key)
            )
    except SlackApiError as error:
        code = error.response["error"]
        if code in _NO_TOKEN:
            logger.error(
                "Slack refuses the token (%s): install the app again. `shortlist doctor` says more", code
            )
        elif code not in _NOWHERE:
            raise
        logger.info("no place for an answer", extra={"error": code})
    finally:
        if (now := surface.inbox.get(received.key)) is not None and now.state != "dropped":
            surface.inbox.done(received.key, exchange=outcome.exchange, answers=outcome.answers)


def asks_too_much(surface: Surface, person: str) -> bool:
    """True when a person has asked more within a minute than is answered."""
    if surface.inbox.asked_since(person, _MINUTE_S) <= surface.questions_per_minute:
        return False
    logger.warning("question left out: too many in a minute", extra={"person": person})
    return True


def count_in(surface: Surface, place: Place, person: str, key: str) -> bool:
    """Count what was asked by a command or a button; False when Slack has delivered the very same before."""
    return surface.inbox.put(
        Received(key=key[:255], thread=place.thread, person=person, ts="", event={}, state="done")
    )


def _asks_too_much(surface: Surface, client: WebClient, received: Received) -> bool:
    if not asks_too_much(surface, received.person):
        return False
    place, limit = _place(received.event), surface.questions_per_minute
    client.chat_postEphemeral(
        channel=place.channel,
        thread_ts=place.thread_ts,
        user=received.person,
        text=say(ask_wording.TOO_MANY, language_of(received.event["text"]), limit=limit),
    )
    return True


def _on_change(surface: Surface, client: WebClient, event: Event, *, team: str, bot_user: str) -> None:
    """An edit. Slack also tells of changes that nobody made, such as a link that unfolds: the words are the same."""
    message = {**event["message"], "channel": event["channel"]}
    before = event.get("previous_message") or {}
    if not is_from_a_person(message) or message.get("text") == before.get("text"):
        return
    place = place_of_message(team, event["channel"], message)
    key = message_key(place, message["ts"])
    kept = _kept(place, message, bot_user)
    known = surface.inbox.get(key)
    if known is None:
        if mentions(message, bot_user) and not deliveries.is_claimed(surface.engine, key):
            _take_in(surface, client, place, message, bot_user)
    elif not surface.inbox.reword(key, kept):
        surface.lines.add(place.thread, partial(_correct, surface, client, key, kept))


def _correct(surface: Surface, client: WebClient, key: str, kept: Event) -> None:
    """Answer the new wording in the place of the old one, as if the old one had not been said."""
    received = surface.inbox.get(key)
    if received is None or received.state != "done" or not received.answers:
        return
    place = _place(kept)
    started = surface.threads.exchange(received.exchange) if received.exchange else None
    if started is not None and started.answer.started_jobs:
        sentence = say(
            ask_wording.JOB_WAS_STARTED,
            started.request.language,
            jobs=", ".join(started.answer.started_jobs),
        )
        client.chat_postMessage(channel=place.channel, thread_ts=place.thread_ts, text=sentence)
        return
    after = received.exchange - 1 if received.exchange else None
    turn = turn_of_message(place, kept, kept["bot_user"])
    turn = turn.model_copy(update={"after": after, "key": f"{key}:{len(kept['text'])}:edit"})
    try:
        with calling(_caller(kept)):
            outcome = correct_answer(surface, client, turn, place, received.answers)
    except SlackApiError as error:
        logger.info("answer not corrected", extra={"error": error.response["error"]})
        return
    surface.inbox.done(key, exchange=outcome.exchange, answers=outcome.answers)


def _on_deletion(surface: Surface, client: WebClient, event: Event, *, team: str) -> None:
    """A deleted question is not answered, and an answer that quotes it goes too, unless it started a job."""
    before = event.get("previous_message") or {}
    ts = event.get("deleted_ts") or before.get("ts") or ""
    place = place_of_message(team, event["channel"], {**before, "ts": ts})
    key = message_key(place, ts)
    if surface.inbox.get(key) is not None and not surface.inbox.drop(key):
        surface.lines.add(place.thread, partial(_take_back, surface, client, place, key))


def _take_back(surface: Surface, client: WebClient, place: Place, key: str) -> None:
    received = surface.inbox.get(key)
    exchange = surface.threads.exchange(received.exchange) if received and received.exchange else None
    if received is None or (exchange is not None and exchange.answer.started_jobs):
        return
    for ts in received.answers:
        try:
            client.chat_delete(channel=place.channel, ts=ts)
        except SlackApiError as error:
            logger.info("answer not deleted", extra={"error": error.response["error"]})
    surface.inbox.done(key)


def _place(event: Event) -> Place:
    return Place(team=event["team"], channel=event["channel"], thread_ts=event["thread_ts"])
