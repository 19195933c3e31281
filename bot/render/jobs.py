"""Turn jobs into a list with Stop buttons, for /jobs and the Home tab."""

from __future__ import annotations

from collections.abc import Sequence

from bot import wording
from bot.render.cards import cancel_button
from bot.render.slack import Block, Message, escaped, section, shortened
from finetune.state import Job
from index.bilingual import Language
from skills.report import job_line

_SHOWN = 15


def jobs_message(jobs: Sequence[Job], language: Language) -> Message:
    """The latest jobs, newest first, each that still runs with its Stop button."""
    if not jobs:
        sentence = wording.NO_JOBS.to(language)
        return Message(text=sentence, blocks=(section(sentence),))
    heading = wording.RECENT_JOBS.to(language)
    return Message(text=heading, blocks=(section(f"*{heading}*"), *job_rows(jobs, language)))


def job_rows(jobs: Sequence[Job], language: Language) -> list[Block]:
    """One section a job, in the order given."""
    return [_row(job, language) for job in jobs[:_SHOWN]]


def _row(job: Job, language: Language) -> Block:
    block = section(escaped(shortened(job_line(job, language), 700)))
    if job.is_finished or job.state == "cancelling":
        return block
    return block | {"accessory": cancel_button(job, language)}
