"""Jobs: what is queued, running and finished; one job's state or result; stopping one."""

from __future__ import annotations

import re

from finetune.state import Job
from index.bilingual import Bilingual
from skills.conversation.answer import Answer
from skills.conversation.request import Request
from skills.desk import Desk
from skills.job_offers import NONE_MEANT, offers
from skills.job_orders import Order, numbers_in, order_in
from skills.outlook import device_lines, job_lines, outlook_words
from skills.report import job_line, result_markdown
from skills.skill import Skill

_DEVICES = re.compile(
    r"\b(gpus?|devices?)\b.*\b(time|hours?|free|idle)\b|\busing\b.*\b(gpus?|devices?)\b"
    r"|(用|占).{0,4}(gpu|显卡|设备)|(gpu|显卡|设备|算力).{0,4}(时间|时长|空闲|用了)|空闲.{0,3}(gpu|显卡|设备)",
    re.IGNORECASE,
)
_MOST_OFFERED = 5
NO_JOBS = Bilingual(
    "No jobs yet. Say “evaluate … on …” or “fine-tune … on …” to start one.",
    "还没有任务。说“在……上评测……”或“在……上微调……”就能开始一个。",
)


def run(request: Request, desk: Desk) -> Answer:
    """Stop the job that is named, let it go first, offer what was asked for, or show it; who has which device; or
    the latest jobs. Nothing is started from words: that takes a button or a command."""
    order = order_in(request.turn.text)
    if order is not None:
        return _ordered(order, request, desk)
    if request.job_id is not None:
        return _one(desk.jobs.status(request.job_id), request, desk)
    return _devices(request, desk) if _DEVICES.search(request.turn.text) else _list(request, desk)


def _ordered(order: Order, request: Request, desk: Desk) -> Answer:
    """Do at once what was said of one job and takes nothing; else show the jobs that may be meant, with a button each."""
    if stops_a_job(request) and request.job_id is not None:
        return Answer.to(request, _stop(request.job_id, request, desk), jobs=(request.job_id,))
    if order.deed == "first" and request.job_id is not None:
        job = desk.jobs.prioritise(request.job_id, "high")
        return Answer.to(request, _line(job, request, desk), jobs=(job.id,))
    found = _meant(order, request, desk)
    if not found or order.deed == "first":
        listed = _list(request, desk)
        return listed.model_copy(
            update={"text": f"{NONE_MEANT[order.deed].to(request.language)}\n\n{listed.text}"}
        )
    lines, actions = offers(order.deed, found, desk.jobs.outlooks(found), request.language)
    jobs = tuple(job.id for job in found)
    return Answer.to(request, "\n\n".join(lines), jobs=jobs, actions=tuple(actions))


def _meant(order: Order, request: Request, desk: Desk) -> list[Job]:
    """The jobs that are named; else the one that the thread is about; else the person's own that it could be."""
    named = numbers_in(request.turn.text) or ((request.job_id,) if request.job_id else ())
    if not named:
        last = desk.threads.last(request.turn.thread)
        named = last.answer.jobs if last and len(last.answer.jobs) == 1 else ()
    if named:
        return [desk.jobs.status(job_id) for job_id in named]
    own = desk.jobs.list(
        owner=request.turn.person, limit=_MOST_OFFERED, unfinished_only=order.deed == "cancel"
    )
    return [job for job in own if order.deed != "retry" or job.state in ("failed", "cancelled")]


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
    order = order_in(request.turn.text)
    return order is not None and order.deed == "first"


def stops_a_job(request: Request) -> bool:
    """Whether the turn orders to stop the one job that it names, rather than asks about it."""
    order = order_in(request.turn.text)
    is_clear = order is not None and order.deed == "cancel" and order.is_said
    return is_clear and len(numbers_in(request.turn.text)) <= 1


SKILL = Skill(
    name="jobs",
    when=Bilingual(
        "what is running: *how is job 3 doing?*, *cancel job 3*, *retry job 3*",
        "任务进度：*任务 3 怎么样了？*、*取消任务 3*、*重跑任务 3*",
    ),
    run=run,
)
