"""Turn jobs into a list with Stop buttons, for /jobs and the Home tab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot import wording
from bot.render.cards import cancel_button
from bot.render.slack import Block, Message, escaped, section, shortened
from finetune.state import Job, Outlook
from index.bilingual import Language
from skills.outlook import outlook_words
from skills.report import job_line

_SHOWN = 15


def jobs_message(
    jobs: Sequence[Job], language: Language, outlooks: Mapping[str, Outlook] | None = None
) -> Message:
    """The latest jobs, newest first, each that still runs with its Stop button and what lies before it."""
    if not jobs:
        sentence = wording.NO_JOBS.to(language)
        return Message(text=sentence, blocks=(section(sentence),))
    heading = wording.RECENT_JOBS.to(language)
    return Message(text=heading, blocks=(section(f"*{heading}*"), *job_rows(jobs, language, outlooks)))


def job_rows(
    jobs: Sequence[Job], language: Language, outlooks: Mapping[str, Outlook] | None = None
) -> list[Block]:
    """One section a job, in the order given."""
    return [_row(job, language, (outlooks or {}).get(job.id)) for job in jobs[:_SHOWN]]


def _row(job: Job, language: Language, outlook: Outlook | None) -> Block:
    line = shortened(job_line(job, language), 700) + outlook_words(outlook, language)
    block = section(escaped(line))
    if job.is_finished or job.state == "cancelling":
        return block
    return block | {"accessory": cancel_button(job, language)}
