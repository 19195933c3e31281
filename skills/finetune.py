"""Fine-tune: fit a LoRA adapter to the team's data as a durable job, and say whether it helped."""

from __future__ import annotations

from finetune.spec import TuningSpec
from index.bilingual import Bilingual
from skills.clarify import ask
from skills.conversation.answer import Answer
from skills.conversation.request import Request
from skills.desk import Desk
from skills.evaluate import WHICH_DATA, named_models, started, submit
from skills.skill import Skill

WHICH_BASE = Bilingual(
    en="Which model should I fine-tune? Name one, or ask for a recommendation first and then say “fine-tune the first”.",
    zh="微调哪个模型？请点名，或先让我推荐，再说“微调第一个”。",
)


def run(request: Request, desk: Desk) -> Answer:
    """Queue the fine-tune, or ask for the one thing that is missing."""
    models = named_models(request, desk)
    if not models:
        return ask(request, WHICH_BASE)
    if request.dataset is None:
        return ask(request, WHICH_DATA)
    wants_four_bits = "nf4" in request.quantizations
    spec = TuningSpec(
        base_model=models[0],
        dataset=desk.jobs.register_dataset(request.dataset),
        method="qlora" if wants_four_bits else "lora",
        limit=request.rows,
    )
    return started(request, submit(spec, request, desk), desk)


SKILL = Skill(
    name="finetune",
    when=Bilingual(
        "tune a model on your data by LoRA, measured before and after: *fine-tune the first one on tickets.csv*",
        "用 LoRA 在你的数据上微调，并比较前后效果：*在 tickets.csv 上微调第一个*",
    ),
    run=run,
)
