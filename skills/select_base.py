"""Select a base: runs of doubling size for several bases on the team's data, and whom to tune in full.

Also how a race stands, stopping one, tuning its winner in full, and the record of predictions.
"""

from __future__ import annotations

from pathlib import Path

from finetune.selections import Selection, SelectionSpec
from finetune.spec import TuningSpec
from index.bilingual import Bilingual, Language
from skills.base_selection.picture import curves_picture
from skills.base_selection.report import plan_markdown, record_markdown, selection_markdown
from skills.clarify import ask
from skills.conversation.answer import Action, Answer
from skills.conversation.parse.base_choice import (
    budget_s,
    selection_number,
    wants_record,
    wants_stop,
    wants_tuning,
)
from skills.conversation.request import Request, Requirements
from skills.desk import Desk
from skills.evaluate import WHICH_DATA, dedupe_key
from skills.recommend import refuse_unknown
from skills.report import started_line
from skills.skill import Skill

_MOST_SHOWN = 3
WHICH_BASES = Bilingual(
    en="Which bases? Name two or more, as in “which base should we fine-tune on tickets: SmolLM2-135M-Instruct or "
    "Qwen2.5-0.5B-Instruct?”, or ask for a recommendation first.",
    zh="比较哪些底座？请给出两个以上，例如“用 tickets 数据，SmolLM2-135M-Instruct 和 Qwen2.5-0.5B-Instruct 哪个微调后最好”，"
    "或先让我推荐。",
)


def run(request: Request, desk: Desk) -> Answer:
    """Begin a race, or do to one what the turn says."""
    text = request.turn.text
    if wants_record(text):
        return Answer.to(request, record_markdown(desk.selections.newest(), request.language))
    number = selection_number(text)
    if number is None:
        return _begin(request, desk)
    if wants_stop(text):
        return _shown(request, desk.selections.cancel(number))
    if wants_tuning(text):
        job = desk.selections.tune_in_full(number)
        desk.jobs.ensure_worker()
        return Answer.to(request, started_line(job, request.language), jobs=(job.id,))
    return _shown(request, desk.selections.find(number))


def _begin(request: Request, desk: Desk) -> Answer:
    refuse_unknown(request, desk)
    bases = request.references or request.requirements.candidates or _last_shown(request, desk)
    if len(bases) < 2:
        return ask(request, WHICH_BASES)
    if request.dataset is None:
        return ask(request, WHICH_DATA)
    dataset = desk.jobs.register_dataset(request.dataset)
    candidates = tuple(
        TuningSpec(base_model=base, dataset=dataset, limit=request.rows, general_texts=0) for base in bases
    )
    spec = SelectionSpec(candidates=candidates, budget_s=budget_s(request.turn.text))
    race = desk.selections.start(
        spec, dedupe_key=dedupe_key(request), owner=request.turn.person, thread=request.turn.thread
    )
    desk.jobs.ensure_worker()
    return Answer.to(
        request,
        plan_markdown(race, request.language),
        actions=_buttons(race, request.language),
        jobs=tuple(run.job.id for run in race.runs),
    )


def _last_shown(request: Request, desk: Desk) -> tuple[str, ...]:
    """The first of what the thread was last recommended."""
    ranking = desk.threads.last_ranking(request.turn.thread)
    found = [item.model for item in ranking.answer.recommendations] if ranking else []
    return tuple(dict.fromkeys(found))[:_MOST_SHOWN]


def _shown(request: Request, race: Selection) -> Answer:
    text, actions = selection_markdown(race, request.language), _buttons(race, request.language)
    return Answer.to(request, text, actions=actions)


def begun(race: Selection, language: Language) -> Answer:
    """The plan of a race that was begun from a form."""
    return told(race, language).model_copy(
        update={"text": plan_markdown(race, language), "jobs": tuple(run.job.id for run in race.runs)}
    )


def told(race: Selection, language: Language) -> Answer:
    """How a race stands, for a thread in which nobody has asked just now."""
    text, actions = selection_markdown(race, language), _buttons(race, language)
    return Answer(
        thread=race.thread or "",
        skill="select-base",
        language=language,
        requirements=Requirements(),
        text=text,
        actions=actions,
    )


def only_asks(text: str) -> bool:
    """Whether a turn about a race, or the record, starts and stops nothing."""
    is_about_one = selection_number(text) is not None and not wants_stop(text) and not wants_tuning(text)
    return wants_record(text) or is_about_one


def _buttons(race: Selection, language: Language) -> tuple[Action, ...]:
    may_tune = race.full is None and (race.outcome or {}).get("winner")
    names = ["tune"] if may_tune else [] if race.is_finished else ["progress", "stop"]
    return tuple(_button(race, name, language) for name in names)


def _button(race: Selection, name: str, language: Language) -> Action:
    label, say = _BUTTONS[name]
    sentence = say.to(language).format(number=race.id)
    return Action(id="ask", label=label.to(language), value={"say": sentence})


def draw(race: Selection, home: Path) -> Path:
    """Write the picture of a race beside the others of this home, and return where."""
    file = home / "selections" / f"{race.id}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(curves_picture(race))
    return file


_BUTTONS = {
    "progress": (
        Bilingual("How is it?", "进展"),
        Bilingual("How is selection {number}?", "选型 {number} 怎么样了？"),
    ),
    "stop": (Bilingual("Stop", "停止"), Bilingual("Stop selection {number}", "停止选型 {number}")),
    "tune": (
        Bilingual("Tune it in full", "全量微调"),
        Bilingual("Tune the winner of selection {number} in full", "全量微调选型 {number} 的胜者"),
    ),
}
SKILL = Skill(
    name="select-base",
    when=Bilingual(
        "which base will be best once tuned, decided from small runs: *which base should we fine-tune on tickets?*",
        "用小规模训练预测哪个底座微调后最好：*用 tickets 数据，哪个底座微调后最好？*",
    ),
    run=run,
)
