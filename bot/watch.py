"""Job events -> progress lines on standard error, until the job ends."""

from __future__ import annotations

from bot.console import Output
from finetune.jobs import Jobs
from finetune.state import Job, JobEvent
from skills.report import event_line


def watch(jobs: Jobs, job_id: str, output: Output) -> Job:
    """Follow a job to its end; return it finished. Interrupting leaves it running."""

    def show(event: JobEvent) -> None:
        line = event_line(event, output.language)
        if line:
            output.note(line)

    jobs.ensure_worker()
    return jobs.wait(job_id, on_event=show)
