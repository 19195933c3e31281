"""What an answer offers to do with a job -> the deed, once somebody says yes to it. Words alone start nothing."""

from __future__ import annotations

import uuid

from bot import wording
from finetune.jobs import Jobs
from finetune.spec import EvaluationSpec
from finetune.state import Job
from index.bilingual import Bilingual
from skills.conversation.answer import Action, Answer

_DEEDS = frozenset({"cancel", "retry", "reproduce"})


def offer_of(answer: Answer) -> Action | None:
    """The one deed that the answer offers; None when there is none, or a choice."""
    found = [action for action in answer.actions if action.id in _DEEDS and not answer.started_jobs]
    return found[0] if len(found) == 1 else None


def how_to_accept(offer: Action) -> Bilingual:
    """What to type in the terminal."""
    label = offer.label
    return Bilingual(wording.SAY_YES.en.format(label=label), wording.SAY_YES.zh.format(label=label))


def is_accepted(line: str) -> bool:
    """True for a yes, in either language."""
    return line.strip().strip("。.!！").casefold() in wording.YES


def carry_out(offer: Action, jobs: Jobs, *, person: str) -> Job:
    """Do it; the job that is new, or was stopped. BadInput when it makes no sense any more."""
    job_id = str(offer.value["job_id"])
    if offer.id == "cancel":
        job = jobs.cancel(job_id)
    elif offer.id == "retry":
        job = jobs.retry(job_id, dedupe_key=f"retry:{uuid.uuid4().hex}", owner=person)
    else:
        job = jobs.repeat(
            job_id, dedupe_key=f"repeat:{uuid.uuid4().hex}", changes=anew(jobs.status(job_id)), owner=person
        )
    if not job.is_finished:
        jobs.ensure_worker()
    return job


def anew(job: Job) -> dict[str, bool]:
    """Changes that make a repeated evaluation ask its models, instead of reading back what they said before."""
    return {"fresh": True} if isinstance(job.spec, EvaluationSpec) else {}
