"""Jobs: what is queued, running and finished; one job's state or result; stopping one."""

from __future__ import annotations

import re

from index.bilingual import Bilingual
from skills.conversation.answer import Answer
from skills.conversation.request import Request
from skills.desk import Desk
from skills.report import job_line, result_markdown
from skills.skill import Skill

_STOP = re.compile(r"\b(cancel|stop|abort|kill|end)\b|取消|停止|停掉|终止|中止|停了|叫停", re.IGNORECASE)
NO_JOBS = Bilingual(
    "No jobs yet. Say “evaluate … on …” or “fine-tune … on …” to start one.",
    "还没有任务。说“在……上评测……”或“在……上微调……”就能开始一个。",
)


def run(request: Request, desk: Desk) -> Answer:
    """Stop the job that is named, show the one that is named, or list the latest."""
    job_id = request.job_id
    if job_id is not None and stops_a_job(request):
        return Answer.to(request, job_line(desk.jobs.cancel(job_id), request.language), jobs=(job_id,))
    if job_id is not None:
        job = desk.jobs.status(job_id)
        return Answer.to(
            request, result_markdown(job, desk.jobs.result(job_id), request.language), jobs=(job_id,)
        )
    found = desk.jobs.list(limit=10)
    lines = [f"- {job_line(job, request.language)}" for job in found]
    text = "\n".join(lines) or NO_JOBS.to(request.language)
    return Answer.to(request, text, jobs=tuple(job.id for job in found))


def stops_a_job(request: Request) -> bool:
    """Whether the turn orders to stop a job, rather than asks about it."""
    return _STOP.search(request.turn.text) is not None


SKILL = Skill(
    name="jobs",
    when=Bilingual(
        "what is running: *how is job 3 doing?*, *cancel job 3*",
        "任务进度：*任务 3 怎么样了？*、*取消任务 3*",
    ),
    run=run,
)
