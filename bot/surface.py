"""Surface: all that the Slack listeners may touch, handed over by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine

from bot.access import Access
from bot.data_choice import DataDesk
from bot.inbox import Inbox
from bot.launches import Launches
from bot.lines import Lines
from bot.people import Names
from bot.progress import JobCards
from finetune.jobs import Jobs
from skills.conversation.answer import Answer
from skills.conversation.defaults import DefaultsStore
from skills.conversation.request import Request, Turn
from skills.conversation.threads import Threads
from skills.desk import Desk
from skills.wording_by_model import Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """What answers, what runs, what was said, and who may."""

    reply: Callable[[Turn, Said | None], Answer]
    """`skills.pipeline.reply` at a desk; the second hears the words as they come."""
    read: Callable[[Turn], Request]
    """`skills.pipeline.read` at the same desk: understand without answering."""
    jobs: Jobs
    threads: Threads
    engine: Engine
    access: Access
    names: Names
    cards: JobCards
    launches: Launches
    """What is wanted and has not been started yet."""
    data: DataDesk
    """Chosen, pasted and uploaded data."""
    desk: Desk | None = None
    """For what is drawn or told without a question: the chart of a ranking, the age of the catalogue."""
    lines: Lines = field(default_factory=Lines)
    """Where answers are worked on, those of one thread in order."""
    questions_per_minute: int = 20
    """Most questions of one person that are answered in a minute."""

    @property
    def inbox(self) -> Inbox:
        """What was received and is answered here."""
        return Inbox(self.engine)

    @property
    def defaults(self) -> DefaultsStore:
        """What teams and channels take for granted."""
        return DefaultsStore(self.engine)
