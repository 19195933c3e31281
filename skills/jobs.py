"""Jobs: what is queued, running and finished; one job's state or result; stopping one."""

from __future__ import annotations

import re

from finetune.state import Job
from index.bilingual import Bilingual
from skills.conversation.answer import Answer
from skills.conversation.request import Request
from skills.desk import Desk
from skills.outlook import device_lines, job_lines, outlook_words
from skills.report import job_line, result_markdown
from skills.skill import Skill

_STOP = re.compile(r"\b(cancel|stop|abort|kill|end)\b|取消|停止|停掉|终止|中止|停了|叫停", re.IGNORECASE)
_FIRST = re.compile(
    r"\bprioriti[sz]e\b|\b(put|move)\b.*\b(first|front|top)\b|优先|插队|排到最前|提到最前", re.IGNORECASE
)
_DEVICES = re.compile(
    r"\b(gpus?|devices?)\b.*\b(time|hours?|free|idle)\b|\busing\b.*\b(gpus?|devices?)\b"
    r"|(用|占).{0,4}(gpu|显卡|设备)|(gpu|显卡|设备|算力).{0,4}(时间|时长|空闲|用了)|空闲.{0,3}(gpu|显卡|设备)",
    re.IGNORECASE,
)
NO_JOBS = Bilingual(
    "No jobs yet. Say “evaluate … on …” or “fine-tune … on …” to start one.",
    "还没有任务。说“在……上评测……”或“在……上微调……”就能开始一个。",
)


def run(request: Request, desk: Desk) -> Answer:
    """Stop the job that is named, let it go first or show it; who has which device; or the latest jobs."""
    job_id = request.job_id
    if job_id is not None and stops_a_job(request):
        return Answer.to(request, _stop(job_id, request, desk), jobs=(job_id,))
    if job_id is not None and changes_priority(request):
        job = desk.jobs.prioritise(job_id, "high")
        return Answer.to(request, _line(job, request, desk), jobs=(job_id,))
    if job_id is not None:
        return _one(desk.jobs.status(job_id), request, desk)
    return _devices(request, desk) if _DEVICES.search(request.turn.text) else _list(request, desk)


def _stop(job_id: str, request: Request, desk: Desk) -> str:
    job = desk.jobs.cancel(job_id)
    if not job.is_finished:  # somebody has to end it, and its worker may be gone
        desk.jobs.ensure_worker()
    return job_line(job, request.language)


def _list(request: Request, desk: Desk) -> Answer:
    found = desk.jobs.list(limit=10)
    lines = job_lines(found, desk.jobs.outlooks(found), request.language)
    lines += [error.to(request.language) for error in desk.jobs.unreadable(limit=10)]
    text = "\n".join(f"- {line}" for line in lines) or NO_JOBS.to(request.language)
    return Answer.to(request, text, jobs=tuple(job.id for job in found))


def _one(job: Job, request: Request, desk: Desk) -> Answer:
    text = result_markdown(job, desk.jobs.result(job.id), request.language)
    words = outlook_words(desk.jobs.outlooks([job]).get(job.id), request.language)
    return Answer.to(request, text + words, jobs=(job.id,))


def _devices(request: Request, desk: Desk) -> Answer:
    lines = device_lines(desk.jobs.devices(), desk.jobs.spent(), request.language)
    return Answer.to(request, "\n".join(f"- {line}" for line in lines))


def _line(job: Job, request: Request, desk: Desk) -> str:
    return job_lines([job], desk.jobs.outlooks([job]), request.language)[0]


def changes_priority(request: Request) -> bool:
    """Whether the turn orders to let a waiting job go first."""
    return _FIRST.search(request.turn.text) is not None


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
