"""`make demo`: a team's conversation from the first question to a choice that was measured, for real.

A question in English, a follow-up in Chinese, a quantized evaluation and a LoRA fine-tune on the embedded
model and the sample tickets, and the first question of all again: now answered with what was measured.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from bot.app import build_desk
from bot.console import Output
from bot.conversation import follow
from bot.settings import Settings
from index.errors import ShortlistError
from skills.conversation.language import language_of
from skills.conversation.request import Turn
from skills.desk import Desk
from skills.pipeline import reply

HOME = Path(".shortlist/demo")

TEAM = (
    "Which open model for Chinese customer-support summarisation on a single 24 GB GPU? Apache or MIT only.",
    "如果只有 16GB 呢？",
    "Why can't I compare perplexity across models?",
)
TICKETS = (
    "Which model should classify our support tickets? Self-hosted, under 0.5B parameters.",
    "Evaluate SmolLM2-135M-Instruct on tickets in full precision, int8 and nf4, on 48 rows",
    "Fine-tune SmolLM2-135M-Instruct on tickets, 320 rows",
    "Which model should classify our support tickets? Self-hosted, under 0.5B parameters.",
)


def main() -> int:
    """Run the conversation; 0 when every turn and every job ended well."""
    started = time.monotonic()
    shutil.rmtree(HOME, ignore_errors=True)
    output = Output(json=False)
    output.show(
        "Shortlist demo: everything below is computed now, on this machine. It takes several minutes.\n"
    )
    desk = build_desk(Settings(home=HOME, _env_file=None))
    try:
        for thread, lines in (("demo-choice", TEAM), ("demo-tickets", TICKETS)):
            for line in lines:
                _turn(line, thread, desk, output)
    except ShortlistError as error:
        output.note(error.message)
        return 1
    failed = [job.id for job in desk.jobs.list() if job.state != "succeeded"]
    output.show(
        f"\nDone in {time.monotonic() - started:.0f} s. Try `make chat`, or `.venv/bin/shortlist --help`."
    )
    return 1 if failed else 0


def _turn(line: str, thread: str, desk: Desk, output: Output) -> None:
    output.language = language_of(line)
    output.show(f"\n{'─' * 100}\n> {line}\n")
    answer = reply(Turn(text=line, thread=thread, person="demo"), desk)
    output.show(answer.text)
    follow(answer.started_jobs, desk, output)


if __name__ == "__main__":
    sys.exit(main())
