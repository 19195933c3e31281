"""A job, and what somebody wants to do to it -> why that makes no sense, and what does."""

from __future__ import annotations

from finetune.spec import EvaluationSpec
from finetune.state import PRIORITIES, Job, JobState
from index.bilingual import Bilingual
from index.errors import BadInput

_ENDED: dict[JobState, Bilingual] = {
    "succeeded": Bilingual(en="has succeeded", zh="已成功完成"),
    "failed": Bilingual(en="has failed", zh="已失败"),
    "cancelled": Bilingual(en="was cancelled", zh="已被取消"),
}

_STANDS: dict[JobState, Bilingual] = {
    "queued": Bilingual(en="it waits in the queue", zh="正在排队"),
    "starting": Bilingual(en="it is starting", zh="正在启动"),
    "running": Bilingual(en="it is running", zh="正在运行"),
    "cancelling": Bilingual(en="it is being stopped", zh="正在停止"),
    **{state: Bilingual(en=f"it {how.en}", zh=how.zh) for state, how in _ENDED.items()},
}


def ended_already(job: Job) -> BadInput:
    """For a job that shall be cancelled and is over."""
    how = _ENDED[job.state]
    return BadInput(
        Bilingual(
            en=f"Job {job.id} {how.en}: there is nothing left to cancel. See `shortlist jobs show {job.id}`.",
            zh=f"任务 {job.id} {how.zh}，无需取消。用 `shortlist jobs show {job.id}` 查看。",
        )
    )


def no_priority(given: str) -> BadInput:
    """For a priority that nobody knows."""
    known = ", ".join(PRIORITIES)
    return BadInput(
        Bilingual(
            en=f"There is no priority {given!r}. Use one of: {known}.",
            zh=f"没有优先级 {given!r}。可用：{known}。",
        )
    )


def waits_no_more(job: Job) -> BadInput:
    """For a job that shall go first and has a device, or is over."""
    stands = _STANDS[job.state]
    return BadInput(
        Bilingual(
            en=f"Job {job.id} does not wait ({stands.en}): a priority changes nothing any more.",
            zh=f"任务 {job.id} 不在排队（{stands.zh}），调整优先级已没有作用。",
        )
    )


def nothing_to_retry(job: Job) -> BadInput:
    """For a job that shall be tried again and has not failed."""
    if job.state == "succeeded":
        anew = (
            " --set fresh=true" if isinstance(job.spec, EvaluationSpec) else ""
        )  # else answers are read back
        return BadInput(
            Bilingual(
                en=f"Job {job.id} has succeeded: there is nothing to retry. "
                f"`shortlist jobs repeat {job.id}{anew}` measures it again.",
                zh=f"任务 {job.id} 已成功完成，无需重试。如需再次测量：`shortlist jobs repeat {job.id}{anew}`。",
            )
        )
    stands = _STANDS[job.state]
    return BadInput(
        Bilingual(
            en=f"Job {job.id} has not ended ({stands.en}). Wait for it, or stop it first: "
            f"`shortlist jobs cancel {job.id}`.",
            zh=f"任务 {job.id} 尚未结束（{stands.zh}）。请等待，或先取消：`shortlist jobs cancel {job.id}`。",
        )
    )
