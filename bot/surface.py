"""Surface: all that the Slack listeners may touch, handed over by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from bot.access import Access
from bot.people import Names
from bot.progress import JobCards
from finetune.jobs import Jobs
from skills.conversation.answer import Answer
from skills.conversation.request import Request, Turn
from skills.conversation.threads import Threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """What answers, what runs, what was said, and who may."""

    reply: Callable[[Turn], Answer]
    """`skills.pipeline.reply` at a desk."""
    read: Callable[[Turn], Request]
    """`skills.pipeline.read` at the same desk: understand without answering."""
    jobs: Jobs
    threads: Threads
    engine: Engine
    access: Access
    names: Names
    cards: JobCards
