""" "Evaluate it against the others", right after a fine-tune: the model that came of it, beside what it was made from."""

from __future__ import annotations

from dataclasses import dataclass

from finetune.spec import DatasetRef, TuningSpec
from finetune.state import Job
from index.bilingual import Bilingual
from skills.conversation.request import Request
from skills.desk import Desk

_TUNED = ("tuned", "微调")
_OTHERS = ("other", "rest", "其他", "其它", "别的", "另外")
_MOST_OTHERS = 3


@dataclass(frozen=True, slots=True)
class TunedInThread:
    """What the last turn of the thread tuned."""

    models: tuple[str, ...]
    """To compare: the tuned one, its base, and the others where they were asked for."""
    dataset: DatasetRef
    job: Job


def tuned_in_thread(request: Request, desk: Desk) -> TunedInThread | None:
    """What the turn points at, when the turn before it was a fine-tune; None when it points elsewhere."""
    last = desk.threads.last(request.turn.thread)
    if last is None or last.request.skill != "finetune" or not last.answer.jobs:
        return None
    job = desk.jobs.status(last.answer.jobs[0])
    if not isinstance(job.spec, TuningSpec) or not _means(request, job.spec):
        return None
    tuned = next((model for model in desk.catalogue.tuned if model.job_id == job.id), None)
    named = (tuned.id,) if tuned else ()
    models = dict.fromkeys((*named, job.spec.base_model, *_others(request, desk)))
    return TunedInThread(models=tuple(models), dataset=job.spec.dataset, job=job)


def not_there_yet(job: Job) -> Bilingual:
    """Why there is nothing to compare."""
    if job.is_finished:
        return Bilingual(
            en=f"Fine-tune #{job.id} ended without a model: `shortlist jobs show {job.id}` says why. Name the models to "
            "evaluate, or start it again.",
            zh=f"微调 #{job.id} 没有得到模型：用 `shortlist jobs show {job.id}` 查看原因。"
            "请指定要评测的模型，或重新启动微调。",
        )
    return Bilingual(
        en=f"Fine-tune #{job.id} has not ended. Say it again when its result is here.",
        zh=f"微调 #{job.id} 尚未结束。等结果出来后再说一次即可。",
    )


def _means(request: Request, spec: TuningSpec) -> bool:
    """Whether "it" or "the tuned one" was said, and nothing else was named."""
    said = request.turn.text.casefold()
    pointed = request.references or request.requirements.candidates or ()
    if not pointed:
        return any(word in said for word in _TUNED)
    return request.is_follow_up and set(pointed) == {spec.base_model} and not request.mentioned


def _others(request: Request, desk: Desk) -> tuple[str, ...]:
    """The models of the last ranking in the thread."""
    if not any(word in request.turn.text.casefold() for word in _OTHERS):
        return ()
    ranked = desk.threads.last_ranking(request.turn.thread)
    return tuple(item.model for item in ranked.answer.recommendations[:_MOST_OTHERS]) if ranked else ()
