"""Turn one message into a Request, by rules: what is asked, what must hold, what it points at.

    text -> Reading (tokens, lexicon matches) -> Statement (fields, models, ranks) -> Signals -> skill -> Request

The words are data (`lexicon/*.yaml`), the grammar is in `parse/`; a task that no rule knows is told by its sound
(`parse/sound.py`). No chat model, no clock, no state: the thread comes in as the previous Request and the ids that
the last answer showed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from skills.conversation.models_named import Mention, ModelNames
from skills.conversation.parse.base_choice import is_about_bases
from skills.conversation.parse.composed import read_message
from skills.conversation.parse.conflicts import is_closed, quote
from skills.conversation.parse.evaluation import read_evaluation, read_limit
from skills.conversation.parse.followup import Merged, merge
from skills.conversation.parse.intent import choose_skill
from skills.conversation.parse.lexicon import words
from skills.conversation.parse.names import size_in_name
from skills.conversation.parse.pointers import named_sample, read_job_action, read_job_rank, read_rows
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.signals import Signals
from skills.conversation.parse.sound import Sound
from skills.conversation.parse.statement import Statement, ids_of, state
from skills.conversation.request import Conflict, EvaluationWish, Request, Requirements, SkillName, Turn

__all__ = ["ModelNames", "understand"]

_HARDWARE = ("max_memory_gib", "gpus")
_ASKED_WITH_A_MODEL = (*_HARDWARE, "quantization", "min_context_tokens")
_JOBS: tuple[SkillName, ...] = ("evaluate", "finetune", "select-base")
_SIZES = frozenset({"min_params_b", "max_params_b"})
_SIZE_STEP_B = 0.1
_SHORT = 5
_ALLOWED_WITHIN = 3
_NEWEST_OF_FAMILY = 3
_MOST_FOR_THEM = 3
"""How many of the models shown "them" stands for."""


def understand(turn: Turn, previous: Request | None, shown: Sequence[str], names: ModelNames) -> Request:
    """Understand a turn in the light of its thread.

    `previous` is the last understood request of the thread; `shown` are the ids that the last answer
    recommended, best first.
    """
    recent = _recent(previous)
    statement = state(read_message(turn.text), names, shown, recent)
    signals = Signals(statement, previous, shown, recent)
    sound = Sound(turn.text, follows=previous is not None)
    skill: SkillName = "select-base" if _asks_for_race(turn, signals) else choose_skill(signals, sound)
    fields = _fields_for(skill, signals)
    knows_task = "task" in fields or (previous is not None and previous.requirements.task is not None)
    if skill == "recommend" and not knows_task:
        fields |= _heard(sound)
    merged = merge(signals, skill, fields)
    requirements, conflicts = _reconciled(skill, signals, merged)
    resumes = skill in _JOBS and previous is not None and previous.skill == skill and merged.is_follow_up
    carried = previous if resumes else None
    references = _references(skill, signals) or (carried.references if carried else ())
    return Request(
        turn=turn,
        language=statement.reading.language,
        skill=skill,
        requirements=requirements,
        changed=merged.changed,
        is_follow_up=merged.is_follow_up or bool(references),
        references=references,
        dataset=_dataset(skill, statement) or (carried.dataset if carried else None),
        job_id=statement.job_id if skill in ("jobs", "explain", "answer") else None,
        job_action=read_job_action(statement.reading) if skill == "jobs" else None,
        job_rank=read_job_rank(statement.reading) if skill == "jobs" else None,
        mentioned=_mentioned(skill, statement, shown),
        about_excluded=skill == "explain" and statement.reading.has("explain_result", "excluded"),
        rows=_rows(skill, statement, turn),
        unknown_models=statement.unknown_models,
        rejected=_rejected(statement, previous if merged.is_follow_up else None),
        conflicts=conflicts,
        waived=_waived(statement, requirements, previous if merged.is_follow_up else None),
        evaluation=_evaluation(skill, statement, turn, carried),
        quantizations=statement.quantizations or (carried.quantizations if carried else ()),
    )


def _evaluation(
    skill: SkillName, statement: Statement, turn: Turn, carried: Request | None
) -> EvaluationWish:
    if skill != "evaluate":
        return EvaluationWish()
    return read_evaluation(statement.reading, turn.text).over(
        carried.evaluation if carried else EvaluationWish()
    )


def _rows(skill: SkillName, statement: Statement, turn: Turn) -> int | None:
    """Rows to use. "Show 3 examples first" counts none of them."""
    if skill not in _JOBS:
        return None
    if skill != "evaluate":
        return statement.rows
    examples = read_evaluation(statement.reading, turn.text).examples
    counted = [quantity for quantity in statement.quantities if quantity.value != examples]
    return read_limit(statement.reading) or read_rows(counted)


def _reconciled(
    skill: SkillName, signals: Signals, merged: Merged
) -> tuple[Requirements, tuple[Conflict, ...]]:
    """Requirements that can hold together, and what could not. Only a choice or a job rests on them."""
    if skill not in ("recommend", *_JOBS):
        return merged.requirements, ()
    conflicts = tuple(c for c in signals.statement.conflicts if {*c.fields} & {*merged.changed})
    named = merged.requirements.candidates or ()
    is_new = not {"hosting", "candidates"}.isdisjoint(merged.changed)
    if skill != "recommend" or not is_new or merged.requirements.hosting != "self" or not named:
        return merged.requirements, conflicts
    if not all(is_closed(model_id) for model_id in named):
        return merged.requirements, conflicts
    clash = _closed_on_own_hardware(signals)
    return merged.requirements.model_copy(update={"candidates": None}), (*conflicts, clash)


def _closed_on_own_hardware(signals: Signals) -> Conflict:
    """ "On premises" and a model that nobody can download: the model is given up, in whatever order they came."""
    reading = signals.reading
    place = next((match for match in reading.stated("hosting") if match.value == "self"), None)
    mention = next(iter(signals.statement.topics), None)
    sides = [
        (place.start if place else -1, "hosting", quote(reading, place.start, place.end) if place else ""),
        _named_side(reading, mention),
    ]
    (_, field, said), (_, other, answer) = sorted(sides, key=lambda side: side[0])
    kept: Literal["first", "second"] = "first" if field == "hosting" else "second"
    return Conflict(fields=(field, other), said=(said, answer), kept=kept)


def _named_side(reading: Reading, mention: Mention | None) -> tuple[int, str, str]:
    if mention is None:
        return -1, "candidates", ""
    start, end = reading.positions(mention.start, mention.end)
    return start, "candidates", quote(reading, start, end)


def _asks_for_race(turn: Turn, signals: Signals) -> bool:
    """Which base to tune, to be found out by small runs; with limits stated and no data, a shortlist comes first."""
    is_choice = signals.has_limits and signals.statement.dataset is None and signals.previous is None
    return is_about_bases(turn.text) and not is_choice


def _recent(previous: Request | None) -> tuple[str, ...]:
    """Models that the last turn was about, unless it asked for a choice: then the answer's models are."""
    if previous is None or previous.skill in ("recommend", "clarify"):
        return ()
    return previous.references or previous.mentioned


def _dataset(skill: SkillName, statement: Statement) -> str | None:
    """A file, or the sample by name: for a job, any mention of it is meant; for a choice it is what they work on."""
    if skill == "recommend" and statement.dataset is not None and "." not in statement.dataset:
        return None
    return statement.dataset or (named_sample(statement.reading, is_certain=True) if skill in _JOBS else None)


def _fields_for(skill: SkillName, signals: Signals) -> dict[str, Any]:
    """The fields that a turn with this skill states: a question about LoRA is no wish to tune."""
    statement = signals.statement
    fields = dict(statement.fields)
    if statement.task_is_hinted and signals.previous and signals.previous.requirements.task:
        fields.pop("task", None)
    if _names_kind_of_model(signals):
        fields = {name: value for name, value in fields.items() if name != "task"} | {"reasoning": True}
    candidates = _family_or_ids(statement.topics) if skill == "recommend" else ids_of(statement.mentions)
    named = {"candidates": candidates} if candidates else {}
    if skill == "recommend":
        if (signals.relative and "priority" not in signals.relative) or _only_spares_money(signals):
            fields.pop("priority", None)
        return {**fields, **named, **_resized(signals), **signals.relative}
    if skill == "compare":
        is_asked = signals.asks_knowledge or statement.reading.has("which")
        return {name: value for name, value in fields.items() if name != "priority" or not is_asked} | named
    if skill == "evaluate":
        # Money said of an evaluation is what it may cost, not what the model may cost afterwards.
        dropped = {"finetune", "budget_usd_per_month", "priority"}
        return {name: value for name, value in fields.items() if name not in dropped} | named
    if skill in ("finetune", "select-base"):
        return {**fields, **named, "finetune": True}
    if skill == "answer":
        is_about_model = statement.mentions or signals.points_back or _continues_question(signals)
        asked = _ASKED_WITH_A_MODEL if is_about_model else _HARDWARE
        return {name: value for name, value in fields.items() if name in asked} | named
    explained = named if signals.previous is not None else fields
    return explained if skill == "explain" else {}


def _heard(sound: Sound) -> dict[str, Any]:
    task = sound.task()
    return {} if task is None else {"task": task}


def _only_spares_money(signals: Signals) -> bool:
    """ "Price doesn't matter", of a thread with a limit on it: the limit goes, and that is all."""
    held = signals.previous.requirements if signals.previous else Requirements()
    has_limit = held.max_usd_per_mtok is not None or held.budget_usd_per_month is not None
    spared = {match.end for match in signals.reading.all("spared")}
    return has_limit and bool(spared) and all(m.end in spared for m in signals.reading.stated("priority"))


def _names_kind_of_model(signals: Signals) -> bool:
    """ "A reasoning model, please", of a thread that says what for: how it should work, not a new task."""
    held = signals.previous.requirements.task if signals.previous else None
    return signals.names_kind_of_model and held not in (None, "reasoning")


def _family_or_ids(topics: Sequence[Mention]) -> tuple[str, ...]:
    """What a choice is limited to: "which Qwen model" means any of the family."""
    named = (m.members if m.family else (m.id,) for m in topics)
    return tuple(dict.fromkeys(model_id for ids in named for model_id in ids if model_id))


def _resized(signals: Signals) -> dict[str, float | None]:
    """ "Smaller" is smaller than the first model shown, when its name says its size."""
    asked = signals.reading.values("resize")
    size_b = size_in_name(signals.shown[0]) if signals.shown and asked else None
    if size_b is None or signals.previous is None or not _SIZES.isdisjoint(signals.fields):
        return {}
    if _is_only_allowed(signals):
        return {"max_params_b": None} if asked[0] == "larger" else {}
    if asked[0] == "smaller":
        return {"max_params_b": round(size_b - _SIZE_STEP_B, 3)} if size_b > _SIZE_STEP_B else {}
    return {"min_params_b": round(size_b + _SIZE_STEP_B, 3)}


def _is_only_allowed(signals: Signals) -> bool:
    """ "It can be bigger", "bigger is fine": no wish for more, but no limit any more."""
    reading = signals.reading
    for match in reading.stated("resize"):
        following = reading.tokens[match.end : match.end + _ALLOWED_WITHIN]
        if reading.before(match.start, "may", 1) or any(
            t.text in words("text", "allowances") for t in following
        ):
            return True
    return False


def _mentioned(skill: SkillName, statement: Statement, shown: Sequence[str]) -> tuple[str, ...]:
    """Models that the turn names; of a family those shown, else its newest: one when it is compared with others."""
    newest = 1 if skill == "compare" else _NEWEST_OF_FAMILY
    mentions = statement.topics if skill == "recommend" else statement.mentions

    def of_family(members: Sequence[str]) -> Sequence[str]:
        return [member for member in shown if member in members][:newest] or members[:newest]

    named = (of_family(m.members) if m.family else (m.id,) for m in mentions)
    return tuple(dict.fromkeys(model_id for ids in named for model_id in ids if model_id))


def _references(skill: SkillName, signals: Signals) -> tuple[str, ...]:
    """Models of the last answer that the turn points at: by rank, by family, or as "it"."""
    statement, shown = signals.statement, signals.shown
    if skill in ("help", "decline", "clarify", "jobs", "recommend"):
        return statement.ranks if skill == "recommend" else ()
    members = {model_id for mention in statement.mentions for model_id in mention.members}
    of_family = [model_id for model_id in shown if model_id in members]
    pointed = [*statement.ranks, *(of_family[:1] if skill == "compare" else of_family)]
    if not pointed and (skill == "compare" or not statement.mentions):
        pointed = _by_pronoun(signals)
    if skill == "compare":
        named = _mentioned(skill, statement, shown)
        if not pointed and len(named) == 1:
            pointed = [model_id for model_id in shown if model_id not in named][:1]
        pointed += named if pointed else ()
        was_compared = signals.previous is not None and signals.previous.skill == "compare"
        pointed = pointed or (list(signals.recent) if was_compared and not named else [])
    return tuple(dict.fromkeys(pointed))


def _by_pronoun(signals: Signals) -> list[str]:
    if signals.reading.has("pronoun", "them"):
        return list(signals.pointed_at[:_MOST_FOR_THEM])
    is_it = signals.reading.has("pronoun", "it") or _continues_question(signals)
    return list(signals.pointed_at[:1]) if is_it else []


def _continues_question(signals: Signals) -> bool:
    """ "And with int8?" after a question about a model is about the same model."""
    was_question = signals.previous is not None and signals.previous.skill in ("answer", "explain")
    return was_question and bool(signals.recent and signals.fields) and signals.n_words <= _SHORT


def _waived(statement: Statement, held: Requirements, before: Request | None) -> tuple[str, ...]:
    """Limits that were said not to matter, in this turn or before, and that nothing has set since."""
    lifted = dict.fromkeys([*(before.waived if before else ()), *sorted(statement.relaxed)])
    return tuple(field for field in lifted if getattr(held, field, None) is None)


def _rejected(statement: Statement, before: Request | None) -> tuple[str, ...]:
    """Models not wanted so far; naming one as a candidate takes it back."""
    new = [model_id for m in statement.rejected for model_id in ((m.id,) if m.id else m.members)]
    old = before.rejected if before else ()
    return tuple(
        model_id for model_id in dict.fromkeys([*old, *new]) if model_id not in ids_of(statement.mentions)
    )
