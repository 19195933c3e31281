"""Tell a thread how its race of base models goes: the curves after each round, and the end with its button.

What was told is a claim in the store, so it is told once, also by another process and after a restart.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from sqlalchemy import Engine, select

from bot import deliveries
from bot.render.answers import answer_messages
from finetune.selections import Selection, Selections
from index.bilingual import Language
from index.schema import job_cards
from skills.base_selection.picture import curves_picture
from skills.select_base import told

logger = logging.getLogger(__name__)

_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class _Thread:
    channel: str
    ts: str | None
    language: Language


class RaceNews:
    """Of the races that began in a thread; others have no card to be found by."""

    def __init__(self, engine: Engine, races: Selections) -> None:
        self._engine = engine
        self._races = races

    def tick(self, client: WebClient) -> None:
        """Tell what is new of each of the latest races. One that fails does not hold up the others."""
        for race in self._races.newest(_LOOKED_AT):
            try:
                self._tell(client, race)
            except SlackClientError:
                logger.warning("race not told", extra={"selection": race.id}, exc_info=True)

    def _tell(self, client: WebClient, race: Selection) -> None:
        stage = "end" if race.is_finished else str(_last_whole_round(race) or "")
        thread = self._thread_of(race) if stage else None
        key = f"race:{race.id}:{stage}"
        if thread is None or not deliveries.claim(self._engine, key):
            return
        try:
            self._post(client, race, thread)
        except Exception:
            deliveries.release(self._engine, key)
            raise

    def _post(self, client: WebClient, race: Selection, thread: _Thread) -> None:
        for message in answer_messages(told(race, thread.language)):
            client.chat_postMessage(channel=thread.channel, thread_ts=thread.ts, **message.arguments())
        if any(run.loss is not None for run in race.runs):
            picture, name = curves_picture(race), f"selection-{race.id}.png"
            client.files_upload_v2(
                channel=thread.channel, thread_ts=thread.ts, content=picture, filename=name
            )

    def _thread_of(self, race: Selection) -> _Thread | None:
        """Where the cards of its first runs are."""
        numbers = [int(run.job.id) for run in race.runs]
        query = select(job_cards).where(job_cards.c.job_id.in_(numbers)).order_by(job_cards.c.job_id).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        in_channel = None if row.channel.startswith("D") else row.message_ts
        return _Thread(row.channel, row.thread_ts or in_channel, row.language)


def _last_whole_round(race: Selection) -> int | None:
    """The largest size at which every run has ended."""
    sizes = {run.size for run in race.runs}
    whole = [s for s in sizes if all(run.job.is_finished for run in race.runs if run.size == s)]
    return max(whole, default=None)
