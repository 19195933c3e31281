"""Turn a person's jobs into their Home tab."""

from __future__ import annotations

from collections.abc import Sequence

from bot import wording
from bot.render.jobs import job_rows
from bot.render.slack import Block, section
from finetune.state import Job
from index.bilingual import Language


def home_view(jobs: Sequence[Job], language: Language) -> Block:
    """What to try first, then the person's own jobs."""
    examples = "\n".join(f"• _{example.to(language)}_" for example in wording.HOME_EXAMPLES)
    blocks = [
        section(wording.HOME_HELLO.to(language)),
        section(examples),
        {"type": "divider"},
        section(wording.HOME_JOBS.to(language)),
    ]
    blocks += job_rows(jobs, language) or [section(wording.NO_JOBS.to(language))]
    return {"type": "home", "blocks": blocks}
