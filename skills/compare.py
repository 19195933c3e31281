"""Compare: named models side by side on what is known; or finished results item by item."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.comparison import DELTA, Comparison, ItemScore, Measure, conclude
from index.bilingual import Bilingual, Language
from index.errors import BadInput
from skills import wording
from skills.clarify import ask
from skills.conversation.answer import Answer
from skills.conversation.request import Request
from skills.desk import Desk
from skills.outcomes import Outcomes, read_outcomes
from skills.ranking.rank import Option
from skills.ranking.shortlist import Shortlist
from skills.recommend import refuse_unknown, shortlist_answer, shortlist_for
from skills.skill import Skill

_COMPARED = 4
WHICH = Bilingual("Which models should I compare? Name two or more.", "比较哪几个模型？请至少说出两个名字。")


def run(request: Request, desk: Desk) -> Answer:
    """Rank only the models that the turn names or points at."""
    models = request.references or request.mentioned or request.requirements.candidates or ()
    refuse_unknown(request, desk)
    if len(models) < 2:
        return ask(request, WHICH)
    requirements = request.requirements.model_copy(update={"candidates": tuple(models)})
    narrowed = request.model_copy(update={"requirements": requirements})
    shortlist = shortlist_for(narrowed, desk)
    base = shortlist_answer(narrowed, shortlist, desk)
    left_out = [item for item in shortlist.excluded if item.constraint != "candidates"]
    language = request.language
    lines = [f"- {wording.short_name(item.model.id)}: {item.reason.to(language)}" for item in left_out]
    parts = (base.text, _side_by_side(shortlist, language), "\n".join(lines))
    text = "\n\n".join(part for part in parts if part)
    named = tuple(item for item in base.excluded if item.constraint != "candidates")
    return base.model_copy(update={"skill": "compare", "text": text, "excluded": named})


def _side_by_side(shortlist: Shortlist, language: Language) -> str:
    """Each against the first: what it saves, what it costs, and at which alpha the two are even."""
    if len(shortlist.ranked) < 2:
        return ""
    first, *others = [item.option for item in shortlist.ranked]
    return "\n".join(_against(first, other, language) for other in others[:_COMPARED])


def _against(first: Option, other: Option, language: Language) -> str:
    cost = other.cost.value - first.cost.value
    points = 100 * (first.loss.value - other.loss.value)
    half = 196 * math.hypot(first.loss.se, other.loss.se)
    memory = "" if None in {first.vram_gib, other.vram_gib} else f", {_gib(first, other):+.1f} GiB"
    even = wording.usd_amount(cost / points) if cost * points > 0 else ""
    names = [wording.short_name(option.model.id, option.adapter) for option in (other, first)]
    return Bilingual(
        f"- {names[0]} against {names[1]}: {points:+.0f} ± {half:.0f} points of quality, {cost:+.3f} USD per million "
        f"tokens{memory}{f'; even at ${even} a point' if even else ''}.",
        f"- {names[0]} 相对 {names[1]}：质量 {points:+.0f} ± {half:.0f} 个百分点，每百万 token {cost:+.3f} 美元"
        f"{memory.replace(', ', '，')}{f'；每百分点 {even} 美元时持平' if even else ''}。",
    ).to(language)


def _gib(first: Option, other: Option) -> float:
    return (other.vram_gib or 0.0) - (first.vram_gib or 0.0)


def compare_results(paths: Sequence[Path], *, metric: str | None = None) -> dict[str, Any]:
    """Compare every pair of candidates of finished evaluations on the rows that all of them answered.

    Also of logs that lm-evaluation-harness keeps, and of tables of outcomes. `metric`: another than the one that
    decided, or that is usual.
    """
    found = [(path, read_outcomes(path, metric=metric)) for path in paths]
    measures = {(one.measure.name if one.measure else one.metric): one for _, one in found}
    if len(measures) > 1:
        raise _several_metrics(list(measures))
    answers: dict[str, Sequence[ItemScore]] = {}
    for path, outcomes in found:
        for name, of_one in (outcomes.answers or _without_answers(outcomes)).items():
            answers[name if name not in answers else f"{name} ({path.name})"] = of_one
    shared = (
        set.intersection(*({item.row for item in of_one} for of_one in answers.values()))
        if answers
        else set()
    )
    if len(answers) < 2 or len(shared) < 2:
        raise _nothing_to_pair(len(answers), len(shared))
    _refuse_other_rows(answers)
    comparison = Comparison(answers, next(iter(measures.values())).measure or _given(found[0][1]))
    every = set().union(*({item.row for item in of_one} for of_one in answers.values()))
    return {
        "rows": len(shared),
        "rows_left_out": len(every) - len(shared),
        "means": comparison.values(),
        **conclude(comparison, delta_frac=DELTA),
    }


def _without_answers(outcomes: Outcomes) -> dict[str, list[ItemScore]]:
    """Scores that came alone."""
    return {
        name: [ItemScore(row=row, score=score) for row, score in items.items()]
        for name, items in outcomes.by_candidate.items()
    }


def _given(outcomes: Outcomes) -> Measure:
    """The mean of scores that came alone, in their own direction and scale."""
    low, high = outcomes.scale
    is_share, up = (low, high) == (0.0, 1.0), outcomes.higher_is_better
    return Measure(
        name=outcomes.metric, unit="frac" if is_share else "points", higher_is_better=up, span=high - low
    )


def _refuse_other_rows(answers: Mapping[str, Sequence[ItemScore]]) -> None:
    """Rows are paired by their ids: where what is right differs, they are of different data sets."""
    right: dict[str, str] = {}
    for item in (item for of_one in answers.values() for item in of_one):
        if right.setdefault(item.row, item.label) != item.label:
            raise BadInput(
                Bilingual(
                    f"These results are of different data sets: row {item.row} is {right[item.row]!r} in one and "
                    f"{item.label!r} in another. Compare evaluations of the same rows.",
                    f"这些结果来自不同的数据集：第 {item.row} 行一处为 {right[item.row]!r}，另一处为 {item.label!r}。"
                    "请比较同一批数据上的评测。",
                )
            )


def _nothing_to_pair(candidates: int, rows: int) -> BadInput:
    return BadInput(
        Bilingual(
            f"A comparison needs two candidates with two rows in common; I found {candidates} candidates and "
            f"{rows} common rows. Evaluate them on the same data set.",
            f"比较至少需要两个候选和两行共同的数据；现有 {candidates} 个候选、{rows} 行共同数据。"
            "请在同一数据集上评测。",
        )
    )


def _several_metrics(metrics: Sequence[str]) -> BadInput:
    return BadInput(
        Bilingual(
            f"These results are scored by different metrics ({', '.join(metrics)}). Name one with --metric.",
            f"这些结果使用了不同的指标（{'、'.join(metrics)}）。请用 --metric 指定其中一个。",
        )
    )


SKILL = Skill(
    name="compare",
    when=Bilingual(
        "named models side by side: *Qwen3-8B vs gpt-oss-20b*",
        "并排比较点名的模型：*Qwen3-8B 和 gpt-oss-20b 比较*",
    ),
    run=run,
)
