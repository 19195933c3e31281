"""Compare: named models side by side on what is known; or finished results item by item."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.paired import PairedComparison, compare_all, verdict
from index.bilingual import Bilingual
from index.errors import BadInput
from skills import wording
from skills.clarify import ask
from skills.conversation.answer import Answer
from skills.conversation.request import Request
from skills.desk import Desk
from skills.recommend import refuse_unknown, shortlist_answer, shortlist_for
from skills.skill import Skill

_INDISTINGUISHABLE = 0.02
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
    text = "\n\n".join(part for part in (base.text, "\n".join(lines)) if part)
    named = tuple(item for item in base.excluded if item.constraint != "candidates")
    return base.model_copy(update={"skill": "compare", "text": text, "excluded": named})


def compare_results(paths: Sequence[Path]) -> dict[str, Any]:
    """Compare every pair of candidates of finished evaluations on the rows that all of them answered."""
    scores: dict[str, dict[str, float]] = {}
    for path in paths:
        for name, items in _scores_of(path).items():
            scores[name if name not in scores else f"{name} ({path.name})"] = items
    shared = sorted(set.intersection(*(set(items) for items in scores.values()))) if scores else []
    if len(scores) < 2 or len(shared) < 2:
        raise BadInput(
            Bilingual(
                f"A comparison needs two candidates with two rows in common; I found {len(scores)} candidates and "
                f"{len(shared)} common rows. Evaluate them on the same data set.",
                f"比较至少需要两个候选和两行共同的数据；现有 {len(scores)} 个候选、{len(shared)} 行共同数据。"
                "请在同一数据集上评测。",
            )
        )
    pairs = compare_all({name: [items[row] for row in shared] for name, items in scores.items()})
    leader = max(scores, key=lambda name: sum(scores[name][row] for row in shared))
    found = verdict([item for (a, _), item in pairs.items() if a == leader], delta=_INDISTINGUISHABLE)
    return {
        "rows": len(shared),
        "comparisons": [_as_json(a, b, item) for (a, b), item in pairs.items()],
        "winner": leader if found == "winner" else None,
        "verdict": found,
    }


def _scores_of(path: Path) -> dict[str, dict[str, float]]:
    """Row id -> score for each candidate of one finished evaluation."""
    file = (path if path.is_dir() else path.parent) / "items.jsonl"
    scores: dict[str, dict[str, float]] = {}
    try:
        for line in file.read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            scores.setdefault(item["candidate"], {})[str(item["row"])] = float(item["correct"])
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(
            Bilingual(
                f"{path} is not a finished evaluation: it needs an items.jsonl beside its result.json. "
                "Give the number of a job, or its folder.",
                f"{path} 不是已完成的评测：result.json 旁应有 items.jsonl。请给出任务编号或其目录。",
            )
        ) from None
    return scores


def _as_json(a: str, b: str, item: PairedComparison) -> dict[str, Any]:
    return {
        "a": a,
        "b": b,
        "metric": "accuracy",
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
