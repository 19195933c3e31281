"""Job events -> progress lines on standard error, until the job ends."""

from __future__ import annotations

from bot.console import Output
from finetune.jobs import Jobs
from finetune.state import Job, JobEvent
from skills.outlook import outlook_words
from skills.report import event_line

_STEP_FRAC = 0.1
"""Progress is told again once so much more is done."""


def watch(jobs: Jobs, job_id: str, output: Output) -> Job:
    """Follow a job to its end; return it finished. Interrupting leaves it running."""
    told_frac = -_STEP_FRAC
    if words := outlook_words(jobs.outlooks([jobs.status(job_id)]).get(job_id), output.language):
        output.note(f"#{job_id}{words}")

    def show(event: JobEvent) -> None:
        nonlocal told_frac
        if event.kind == "progress":
            done_frac = event.data["done"] / max(event.data["total"], 1)
            if done_frac - told_frac < _STEP_FRAC:
                return
            told_frac = done_frac
        if event.kind == "loss" and event.data.get("eval") is None:
            return
        line = event_line(event, output.language)
        if line:
            output.note(line)

    return jobs.wait(job_id, on_event=show)
