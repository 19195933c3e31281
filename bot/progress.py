"""Turn job events into edits of one message: the job card. At the end, post the result once, and its files once.

Everything needed lies in the store (table job_cards), so another process can go on where this one stopped.
An edit may happen twice, which changes nothing; a result is claimed before it is posted, and so are its files.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse
from sqlalchemy import Engine, insert, select, update

from bot import agent, deliveries, wording
from bot.failures import error_message
from bot.inbound import Place
from bot.people import Names, is_slack_user
from bot.race_news import RaceNews
from bot.render.cards import card, result_files, result_message, title
from bot.render.slack import Message, text_message
from bot.waiting import WaitingCards
from finetune.jobs import Jobs
from finetune.state import Job, JobEvent
from index.bilingual import Language
from index.errors import ShortlistError
from index.schema import job_cards

logger = logging.getLogger(__name__)

NO_ENTRY = frozenset({"channel_not_found", "not_in_channel", "is_archived", "restricted_action"})
"""Answers of Slack that mean: not in this channel, and not by trying again."""
_NOBODY = NO_ENTRY | {"user_not_found", "account_inactive", "user_disabled", "cannot_dm_bot"}


_EDITS_PER_MINUTE = 40
"""Slack takes about 50 `chat.update` a minute: the others are for answers and for cards that end."""
_SESSION_LASTS_S = 20 * 60
"""Slack ends a session that is processing after an hour, unless it is told again."""
_FILES_OWED = 2
"""`finished` of a card whose result is told and whose files are not in the thread yet."""
_BEING_TOLD = 3
"""`finished` of a card whose result somebody is posting."""
_UPLOAD_TAKES = timedelta(minutes=10)
"""Whoever claimed the files longer ago than this is not at it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRow:
    """Where the card of one job is, and how far its events have been shown."""

    job_id: int
    channel: str
    thread_ts: str | None
    message_ts: str
    language: Language
    cursor: int
    finished: int
    """0: it runs. 2: the result is told, its files are owed. 1: nothing is left to do."""

    @property
    def result_thread_ts(self) -> str | None:
        """Where the result goes: the card's thread; below the card in an unthreaded direct message."""
        if self.thread_ts or self.channel.startswith("D"):
            return self.thread_ts
        return self.message_ts


class JobCards:
    """The job cards of this workspace."""

    def __init__(self, engine: Engine, jobs: Jobs, names: Names) -> None:
        self._engine = engine
        self._jobs = jobs
        self._names = names
        self._waiting = WaitingCards(jobs)
        self._turns = count(1)
        self._edited: dict[int, int] = {}
        """When each card was edited last, by turns."""
        self.client_of: Callable[[str], WebClient | None] = lambda _team: None
        """The client of a job's own workspace, where several are served."""
        self._shown_at_work: dict[int, float] = {}
        """When Slack was last told that a job is under way."""

    def post(self, client: WebClient, job: Job, place: Place, language: Language) -> None:
        """Post the card of a job, unless it has one already."""
        key = f"card:{job.id}"
        if not deliveries.claim(self._engine, key):
            return
        try:
            message, cursor = self._render(client, job, language)
            posted = send(client, place, message, otherwise_to=job.owner)
        except Exception:
            deliveries.release(self._engine, key)
            raise
        thread_ts = place.thread_ts if posted["channel"] == place.channel else None
        row = CardRow(
            job_id=int(job.id),
            channel=posted["channel"],
            thread_ts=thread_ts,
            message_ts=posted["ts"],
            language=language,
            cursor=cursor,
            finished=0,
        )
        self._insert(row)

    def refresh(self, client: WebClient, job_id: str) -> None:
        """Bring the card of one job up to date now, because somebody just acted on it."""
        query = select(job_cards).where(job_cards.c.job_id == int(job_id), job_cards.c.finished == 0)
        for row in self._rows(query):
            self._update(client, row, self._jobs.status(job_id))

    def open_in(self, channel: str, thread_ts: str | None) -> list[str]:
        """The jobs that have not ended and whose card is in this thread, or is its root."""
        c = job_cards.c
        here = (c.channel == channel) & (c.finished == 0)
        in_thread = here & ((c.thread_ts == thread_ts) | (c.message_ts == thread_ts))
        rows = self._rows(select(job_cards).where(in_thread if thread_ts else here))
        jobs = (self._jobs.status(str(row.job_id)) for row in rows)
        return [job.id for job in jobs if not job.is_finished]

    def tick(self, client: WebClient, *, most_edits: int | None = None) -> None:
        """Bring open cards up to date: what has ended always, of what runs as many as `most_edits`, those first
        that were not edited for longest. One that fails does not hold up the others."""
        rows = self._rows(select(job_cards).where(job_cards.c.finished.in_((0, _FILES_OWED))))
        rows.sort(key=lambda row: self._edited.get(row.job_id, 0))
        moved = self._moved(rows)
        left = len(rows) if most_edits is None else most_edits
        for row in rows:
            try:
                job = self._jobs.status(str(row.job_id))
                own = self.client_of((job.thread or "").partition(":")[0]) or client
                if row.finished == _FILES_OWED:
                    self._share_files(own, row, job, _place(row))
                elif job.is_finished or left > 0:
                    left -= self._update(own, row, job, has_moved=job.id in moved)
            except Exception:
                logger.exception("job card not updated", extra={"job_id": row.job_id})

    def _moved(self, rows: Sequence[CardRow]) -> set[str]:
        """Jobs whose place in the line is not what their card says. That nobody can tell is no reason to stop."""
        try:
            return self._waiting.moved([str(row.job_id) for row in rows if not row.finished])
        except Exception:
            logger.exception("places in the line not read")
            return set()

    def reopen_untold(self) -> None:
        """Tell again what a bot was telling when it was killed. Only for the one bot of a store: another one may
        be telling it now."""
        with self._engine.begin() as connection:
            being_told = job_cards.c.finished == _BEING_TOLD
            connection.execute(update(job_cards).where(being_told).values(finished=0))

    def is_card(self, channel: str, ts: str) -> bool:
        """True when this message is a job card: what is written under it is meant for us."""
        query = select(job_cards.c.job_id).where(job_cards.c.channel == channel, job_cards.c.message_ts == ts)
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def _update(self, client: WebClient, row: CardRow, job: Job, *, has_moved: bool = False) -> int:
        """Edit the card when there is news; returns how many edits that took."""
        is_true = not has_moved and not self._jobs.events_after(row.cursor, job.id)
        if not job.is_finished and is_true:
            return 0
        self._edited[row.job_id] = next(self._turns)
        self._show_session(client, row, job)
        message, cursor = self._render(client, job, row.language)
        _edit(client, row, message)
        self._save(row, cursor=cursor)
        if job.is_finished:
            self._edited.pop(row.job_id, None)
            self._finish(client, row, job)
        return 1

    def _show_session(self, client: WebClient, row: CardRow, job: Job) -> None:
        """In a thread with the agent, keep Slack's own Stop button there while the job runs, and no longer."""
        if not row.channel.startswith("D") or row.thread_ts is None:
            return
        shown_at = self._shown_at_work.get(row.job_id)
        if job.is_finished:
            self._shown_at_work.pop(row.job_id, None)
            if set(self.open_in(row.channel, row.thread_ts)) <= {job.id}:
                agent.end_session(client, _place(row))
        elif shown_at is None or time.monotonic() - shown_at > _SESSION_LASTS_S:
            self._shown_at_work[row.job_id] = time.monotonic()
            agent.show_work(client, _place(row), title(job, row.language))

    def _finish(self, client: WebClient, row: CardRow, job: Job) -> None:
        """Post the result. Whoever marks the row first does it, so that it is posted once."""
        if not self._save(row, finished=_BEING_TOLD):
            return
        place = _place(row)
        try:
            posted = send(client, place, self._result_message(job, row.language), otherwise_to=job.owner)
        except SlackApiError as error:
            if error.response["error"] in _NOBODY:
                logger.warning("nobody to tell the result", extra={"job_id": job.id})
                self._set(row, finished=1)
                return
            self._set(row, finished=0)
            raise
        except Exception:
            self._set(row, finished=0)
            raise
        self._set(row, finished=_FILES_OWED)
        if posted["channel"] != place.channel:
            place = replace(place, channel=posted["channel"], thread_ts=None)
        self._share_files(client, row, job, place)

    def _result_message(self, job: Job, language: Language) -> Message:
        """The result in words. One that cannot be told is told as such, once, not tried again for ever."""
        try:
            return result_message(job, self._jobs.result(job.id), language=language)
        except Exception as error:
            return error_message(error, language)

    def _share_files(self, client: WebClient, row: CardRow, job: Job, place: Place) -> None:
        """Add picture, report and tables to the thread, once; when that fails, say so in one line."""
        key = f"files:{job.id}"
        if not deliveries.claim(self._engine, key):
            if self._is_under_way(key):
                return
            problem: str | None = wording.say(wording.UPLOAD_UNSURE, row.language, job_id=job.id)
        else:
            problem = self._upload(client, place, job, row.language)
        if problem is not None:
            try:
                send(client, place, text_message(problem), otherwise_to=job.owner)
            except Exception:
                deliveries.release(self._engine, key)
                raise
        self._set(row, finished=1)

    def _is_under_way(self, key: str) -> bool:
        claimed_at = deliveries.claimed_at_utc(self._engine, key)
        return claimed_at is None or datetime.now(UTC) - datetime.fromisoformat(claimed_at) < _UPLOAD_TAKES

    def _upload(self, client: WebClient, place: Place, job: Job, language: Language) -> str | None:
        """Upload all files in one message; return what to say when not all of them are there now."""
        try:
            files = result_files(job, self._jobs.result(job.id), language)
            there = [file for file in files if Path(file["file"]).is_file()]
            if there:
                client.files_upload_v2(channel=place.channel, thread_ts=place.thread_ts, file_uploads=there)
        except (ShortlistError, SlackClientError, OSError) as error:
            logger.warning("files not uploaded", extra={"job_id": job.id}, exc_info=True)
            why = error.response["error"] if isinstance(error, SlackApiError) else type(error).__name__
            return wording.say(wording.NOT_UPLOADED, language, job_id=job.id, why=why)
        if len(there) == len(files):
            return None
        return wording.say(wording.FILES_GONE, language, job_id=job.id)

    def _render(self, client: WebClient, job: Job, language: Language) -> tuple[Message, int]:
        events = self._all_events(job.id)
        owner = self._names.of(client, job.owner)
        outlook = self._jobs.outlooks([job]).get(job.id)
        self._waiting.tell(job.id, outlook)
        message = card(job, events, owner=owner, outlook=outlook, language=language)
        return message, events[-1].id if events else 0

    def _all_events(self, job_id: str) -> list[JobEvent]:
        """All events of a job: they are handed out in pages."""
        events: list[JobEvent] = []
        while page := self._jobs.events_after(events[-1].id if events else 0, job_id):
            events += page
        return events

    def _insert(self, row: CardRow) -> None:
        values = {name: getattr(row, name) for name in CardRow.__slots__}
        with self._engine.begin() as connection:
            connection.execute(insert(job_cards).values(values))

    def _rows(self, query: Any) -> list[CardRow]:
        with self._engine.connect() as connection:
            return [CardRow(**row) for row in connection.execute(query).mappings()]

    def _save(self, row: CardRow, **values: int) -> bool:
        """Write to an open card; False when it was closed in the meantime."""
        change = update(job_cards).where(job_cards.c.job_id == row.job_id, job_cards.c.finished == 0)
        with self._engine.begin() as connection:
            return connection.execute(change.values(**values)).rowcount == 1

    def _set(self, row: CardRow, *, finished: int) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                update(job_cards).where(job_cards.c.job_id == row.job_id).values(finished=finished)
            )


class CardPoller:
    """A thread that keeps all cards true, each edited at most once in an interval."""

    def __init__(
        self, cards: JobCards, client: WebClient, *, interval_s: float, races: RaceNews | None = None
    ) -> None:
        self._cards = cards
        self._races = races
        self._client = client
        self._interval_s = max(interval_s, 0.05)
        self._most_edits = max(1, int(_EDITS_PER_MINUTE * self._interval_s / 60))
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="job-cards", daemon=True)

    def start(self) -> None:
        """Begin; the first round is at once, which makes cards true after a restart."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round that is under way."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._cards.tick(self._client, most_edits=self._most_edits)
                if self._races is not None:
                    self._races.tick(self._client)
            except Exception:
                logger.exception("job cards not read")
            self._stopped.wait(self._interval_s)


def send(client: WebClient, place: Place, message: Message, *, otherwise_to: str) -> SlackResponse:
    """Post a message, or write to the person directly where the bot has no entry to the channel."""
    try:
        return client.chat_postMessage(
            channel=place.channel, thread_ts=place.thread_ts, **message.arguments()
        )
    except SlackApiError as error:
        if error.response["error"] not in NO_ENTRY or not is_slack_user(otherwise_to):
            raise
    return client.chat_postMessage(channel=otherwise_to, **message.arguments())


def _place(row: CardRow) -> Place:
    return Place(team="", channel=row.channel, thread_ts=row.result_thread_ts)


def _edit(client: WebClient, row: CardRow, message: Message) -> None:
    """Edit the card. A card that somebody deleted, or that is out of reach, is no reason to stop."""
    try:
        client.chat_update(
            channel=row.channel, ts=row.message_ts, text=message.text, blocks=list(message.blocks)
        )
    except SlackApiError as error:
        if error.response["error"] not in NO_ENTRY | {"message_not_found", "cant_update_message"}:
            raise
        logger.info("job card is gone", extra={"job_id": row.job_id})
