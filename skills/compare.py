"""Compare: named models side by side on what is known; or finished results item by item."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.paired import PairedComparison, compare_all, items_needed, verdict
from index.bilingual import Bilingual, Language
from index.errors import BadInput
from skills import wording
from skills.clarify import ask
from skills.conversation.answer import Answer
from skills.conversation.request import Request
from skills.desk import Desk
from skills.outcomes import read_outcomes
from skills.ranking.rank import Option
from skills.ranking.shortlist import Shortlist
from skills.recommend import refuse_unknown, shortlist_answer, shortlist_for
from skills.skill import Skill

_INDISTINGUISHABLE = 0.02
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

    Also of logs that lm-evaluation-harness keeps, by `metric`, and of tables of outcomes.
    """
    scores: dict[str, Mapping[str, float]] = {}
    metrics: dict[str, None] = {}
    for path in paths:
        found = read_outcomes(path, metric=metric)
        metrics[found.metric] = None
        for name, items in found.by_candidate.items():
            scores[name if name not in scores else f"{name} ({path.name})"] = items
    if len(metrics) > 1:
        raise _several_metrics(list(metrics))
    shared = sorted(set.intersection(*(set(items) for items in scores.values()))) if scores else []
    if len(scores) < 2 or len(shared) < 2:
        raise _nothing_to_pair(len(scores), len(shared))
    rows = {name: [items[row] for row in shared] for name, items in scores.items()}
    pairs = compare_all(rows)
    leader = max(rows, key=lambda name: sum(rows[name]))
    against = {b: item for (a, b), item in pairs.items() if a == leader}
    said = verdict(list(against.values()), delta=_INDISTINGUISHABLE)
    needed = [items_needed([x - y for x, y in zip(rows[leader], rows[b], strict=True)]) for b in against]
    known = [number for number in needed if number is not None]
    return {
        "rows": len(shared),
        "metric": next(iter(metrics)),
        "means": {name: sum(of_one) / len(shared) for name, of_one in rows.items()},
        "comparisons": [_as_json(a, b, item, next(iter(metrics))) for (a, b), item in pairs.items()],
        "winner": leader if said == "winner" else None,
        "verdict": said,
        "more_rows_needed": (
            max(0, max(known) - len(shared)) if said == "insufficient" and len(known) == len(needed) else None
        ),
    }


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


def _as_json(a: str, b: str, item: PairedComparison, metric: str) -> dict[str, Any]:
    return {
        "a": a,
        "b": b,
        "metric": metric,
        "difference": item.difference,
        "ci95": list(item.ci95),
        "p_value": item.p_value,
        "method": item.method,
        "n": item.n,
    }


SKILL = Skill(
    name="compare",
    when=Bilingual(
        "named models side by side: *Qwen3-8B vs gpt-oss-20b*",
        "并排比较点名的模型：*Qwen3-8B 和 gpt-oss-20b 比较*",
    ),
    run=run,
)
