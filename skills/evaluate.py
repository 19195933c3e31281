"""Evaluate: models of the thread or of the message, on the team's data, as a durable job."""

from __future__ import annotations

import uuid
from typing import get_args

from finetune.spec import Candidate, DatasetRef, DatasetTask, EvaluationSpec, TuningSpec
from finetune.state import Job
from index.bilingual import Bilingual
from index.errors import BadInput
from skills.clarify import ask
from skills.conversation.answer import Action, Answer
from skills.conversation.request import Request
from skills.desk import Desk
from skills.recommend import refuse_unknown
from skills.report import started_line
from skills.skill import Skill
from skills.tuned import TunedInThread, not_there_yet, tuned_in_thread

MOST_EXAMPLES = 32

WHICH_DATA = Bilingual(
    en="On which data? Name a file with a text and a label column (`tickets.csv`), or `tickets` for the sample set.",
    zh="用哪份数据？请给出含文本列和标签列的文件（如 `tickets.csv`），或用自带的示例 `tickets`。",
)
WHICH_MODEL = Bilingual(
    en="Which model? Name one, or ask for a recommendation first and then say “evaluate the top three”.",
    zh="评测哪个模型？请点名，或先让我推荐，再说“评测前三名”。",
)


def run(request: Request, desk: Desk) -> Answer:
    """Queue the evaluation, or ask for the one thing that is missing."""
    pointed = tuned_in_thread(request, desk)
    if pointed is not None and desk.catalogue.find_tuned(pointed.models[0]) is None:
        return ask(request, not_there_yet(pointed.job))
    models = pointed.models if pointed else named_models(request, desk)
    if not models:
        return ask(request, WHICH_MODEL)
    if request.dataset is None and pointed is None:
        return ask(request, WHICH_DATA)
    quantizations = request.quantizations or ("none",)
    wish = request.evaluation
    if wish.examples is not None and wish.examples > MOST_EXAMPLES:
        raise _too_many_examples(wish.examples)
    spec = EvaluationSpec(
        candidates=tuple(Candidate(model=model, quantization=q) for model in models for q in quantizations),
        dataset=_dataset(request, pointed, desk),
        limit=request.rows,
        metric=wish.metric,
        full=bool(wish.full),
        examples=wish.examples or 0,
        instruction=wish.instruction,
        max_usd=wish.max_usd,
    )
    return started(request, submit(spec, request, desk), desk)


def _dataset(request: Request, pointed: TunedInThread | None, desk: Desk) -> DatasetRef:
    """The data that was named; after a fine-tune without a word about data, what it was tuned on: rows that the adapter
    has learned are left out by the evaluation itself."""
    if request.dataset is None and pointed is not None:
        return pointed.dataset
    return desk.jobs.register_dataset(request.dataset or "", task=_task(request.evaluation.data_task))


def _task(name: str | None) -> DatasetTask | None:
    return next((task for task in get_args(DatasetTask) if task == name), None)


def _too_many_examples(count: int) -> BadInput:
    return BadInput(
        Bilingual(
            en=f"{count} examples are too many to show with each question; at most {MOST_EXAMPLES} are possible.",
            zh=f"每个问题前展示 {count} 个示例太多了，最多 {MOST_EXAMPLES} 个。",
        )
    )


def named_models(request: Request, desk: Desk) -> tuple[str, ...]:
    """The models that this turn means: those it points at, else those it names."""
    refuse_unknown(request, desk)
    return request.references or request.requirements.candidates or ()


def submit(spec: EvaluationSpec | TuningSpec, request: Request, desk: Desk) -> Job:
    """Queue a job once, however often the message is delivered."""
    turn = request.turn
    return desk.jobs.submit(spec, dedupe_key=dedupe_key(request), owner=turn.person, thread=turn.thread)


def dedupe_key(request: Request) -> str:
    """The key of the message; without one, every asking is a new job."""
    return f"turn:{request.turn.key or uuid.uuid4().hex}"


def started(request: Request, job: Job, desk: Desk) -> Answer:
    """What is said once a job is queued, and how its data was understood."""
    stop = Bilingual("Stop", "停止").to(request.language)
    lines = [*desk.jobs.describe_dataset(job.spec.dataset), *filter(None, [desk.jobs.leaving(job.spec)])]
    recognised = [line.to(request.language) for line in lines]
    return Answer.to(
        request,
        "\n\n".join([started_line(job, request.language), *recognised]),
        actions=(Action(id="cancel", label=stop, value={"job_id": job.id}),),
        jobs=(job.id,),
    )


SKILL = Skill(
    name="evaluate",
    when=Bilingual(
        "score models on your own data, quantized or not: *evaluate the top three on tickets.csv with int8 and nf4*",
        "在你自己的数据上评测模型，可量化：*用 int8 和 nf4 在 tickets.csv 上评测前三名*",
    ),
    run=run,
)
