"""A job and what somebody wants done with it -> the line that says how, and the button that does just that.

Whatever starts work takes a click or a command, never words alone. Where it makes no sense, the line says why,
and the button is what does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finetune.state import Job, Outlook
from index.bilingual import Bilingual, Language
from skills.conversation.answer import Action
from skills.job_orders import Deed
from skills.outlook import outlook_words
from skills.report import STATE_NAMES, job_title

_Offer = tuple[Bilingual, Action | None]

NONE_MEANT = {
    "cancel": Bilingual(
        "No job of yours waits or runs, so there is none to stop.", "你没有排队或运行中的任务，无需停止。"
    ),
    "retry": Bilingual(
        "No job of yours failed or was stopped. Say “reproduce job 3” to run any other once more.",
        "你没有失败或被停止的任务。要把其他任务再跑一次，请说“复现任务 3”。",
    ),
    "reproduce": Bilingual("You have no job yet that could be reproduced.", "你还没有可以复现的任务。"),
    "first": Bilingual(
        "Say which job shall go first, as “prioritise job 3”.", "请说明优先哪个任务，例如“优先任务 3”。"
    ),
}
"""For an order that names no job and fits none of the person's own."""


def offers(
    deed: Deed, jobs: Sequence[Job], outlooks: Mapping[str, Outlook], language: Language
) -> tuple[list[str], list[Action]]:
    """A paragraph for each job, and a button for each that has one."""
    lines, actions = [], []
    for job in jobs:
        words, action = _offer(deed, job, language)
        head = f"**{job_title(job).to(language)}** · {STATE_NAMES[job.state].to(language)}"
        head += outlook_words(outlooks.get(job.id), language)
        reason = [job.reason.to(language)] if job.reason else []
        lines.append("\n\n".join([head, *reason, words.to(language)]))
        actions += [action] if action else []
    return lines, actions


def _offer(deed: Deed, job: Job, language: Language) -> _Offer:
    if deed == "cancel":
        return _cancel(job, language)
    if deed == "retry" and job.state in ("failed", "cancelled"):
        return _retry(job, language)
    if deed == "retry" and not job.is_finished:
        return _not_over(job, language)
    return _reproduce(job, language, has_succeeded=deed == "retry")


def _retry(job: Job, language: Language) -> _Offer:
    label = Bilingual(f"Run job {job.id} again", f"重跑任务 {job.id}")
    words = Bilingual(
        f"Nothing has started yet. “{label.en}” does it, and so does `shortlist jobs retry {job.id}`: the same models, "
        "rows and seed; what was answered before is kept.",
        f"尚未启动。点“{label.zh}”或运行 `shortlist jobs retry {job.id}` 即可："
        "模型、数据行和随机种子不变，已有的回答会保留。",
    )
    return words, Action(id="retry", label=label.to(language), value={"job_id": job.id})


def _reproduce(job: Job, language: Language, *, has_succeeded: bool) -> _Offer:
    """The same job once more. An evaluation that only read its kept answers back would show nothing."""
    label = Bilingual(f"Reproduce job {job.id}", f"复现任务 {job.id}")
    anew = " --set fresh=true" if job.spec.kind == "evaluation" else ""
    why = Bilingual("", "")
    if has_succeeded:
        why = Bilingual("It has succeeded, so there is nothing to retry. ", "该任务已成功完成，无需重试。")
    words = Bilingual(
        f"{why.en}Nothing has started yet. “{label.en}” runs it once more, and so does "
        f"`shortlist jobs repeat {job.id}{anew}`: the same models, rows and seed, measured anew.",
        f"{why.zh}尚未启动。点“{label.zh}”或运行 `shortlist jobs repeat {job.id}{anew}`，"
        "即用相同的模型、数据行和随机种子重新测量。",
    )
    return words, Action(id="reproduce", label=label.to(language), value={"job_id": job.id})


def _cancel(job: Job, language: Language) -> _Offer:
    if job.is_finished:
        return Bilingual("It is over: there is nothing left to stop.", "该任务已经结束，无需停止。"), None
    words = Bilingual(
        f"It goes on. “Stop job {job.id}” stops it, and so does `shortlist jobs cancel {job.id}`. "
        "What it finished is kept.",
        f"任务仍在继续。点“停止任务 {job.id}”或运行 `shortlist jobs cancel {job.id}` 才会停止，已完成的部分会保留。",
    )
    return words, None if job.state == "cancelling" else _stop_action(job, language)


def _not_over(job: Job, language: Language) -> _Offer:
    words = Bilingual(
        "It has not ended yet, so it cannot be run again now. Wait for it, or stop it first: what it finished is kept.",
        "该任务尚未结束，现在不能重跑。请等待，或先停止它：已完成的部分会保留。",
    )
    return words, None if job.state == "cancelling" else _stop_action(job, language)


def _stop_action(job: Job, language: Language) -> Action:
    label = Bilingual(f"Stop job {job.id}", f"停止任务 {job.id}")
    return Action(id="cancel", label=label.to(language), value={"job_id": job.id})
