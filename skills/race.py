"""Given outcomes -> who wins a race over them, and how few items it takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.racing import replay
from index.bilingual import Bilingual, Language
from index.errors import BadInput
from skills.outcomes import read_outcomes


def race_outcomes(
    path: Path, *, alpha: float, delta: float, seed: int, metric: str | None = None
) -> dict[str, Any]:
    """Race the candidates of a file of outcomes on the items that all of them have.

    Scores off the scale from 0 to 1 are brought to it by the lowest and the highest in the file, and `delta`
    is on that scale.
    """
    outcomes = read_outcomes(path, metric=metric)
    items = sorted(set.intersection(*(set(of_one) for of_one in outcomes.by_candidate.values())))
    if len(outcomes.by_candidate) < 2 or len(items) < 2:
        raise BadInput(
            Bilingual(
                f"A race needs two candidates and two items that both have; {path.name} has "
                f"{len(outcomes.by_candidate)} candidates and {len(items)} common items.",
                f"竞速至少需要两个候选和两个共同的题目；{path.name} 中有 {len(outcomes.by_candidate)} 个候选、"
                f"{len(items)} 个共同题目。",
            )
        )
    raw = {name: [of_one[item] for item in items] for name, of_one in outcomes.by_candidate.items()}
    low, high = _unit_scale(raw)
    spread = (high - low) or 1.0
    scores = {name: [(score - low) / spread for score in of_one] for name, of_one in raw.items()}
    result = replay(scores, alpha=alpha, delta=delta, seed=seed)
    return {
        "winner": result.winner,
        "leader": result.leader,
        "verdict": result.verdict,
        "remaining": list(result.remaining),
        "items_used": result.items_used,
        "items": len(items),
        "share_of_full_cost": result.share_of_full_cost,
        "means": {name: low + mean * (high - low) for name, mean in result.means.items()},
        "metric": outcomes.metric,
        "scale": [low, high],
        "alpha": alpha,
        "delta": delta,
        "seed": seed,
        "more_items_needed": result.more_items_needed,
    }


def race_markdown(value: Mapping[str, Any], language: Language) -> str:
    """The verdict, then a table of who saw how many items."""
    words = _VERDICTS[value["verdict"]].to(language)
    verdict = words.format(leader=value["leader"], delta=value["delta"], rivals=_rivals(value, language))
    share = _SHARE.to(language).format(share=value["share_of_full_cost"])
    more = value["more_items_needed"]
    said = [verdict, share, _MORE.to(language).format(more=more) if more else ""]
    text = (" " if language == "en" else "").join(part for part in said if part)
    return f"{text}\n\n{_table(value, language)}"


def _table(value: Mapping[str, Any], language: Language) -> str:
    head = Bilingual(f"Candidate | Mean {value['metric']} | Items", f"候选 | 平均 {value['metric']} | 题数")
    of = Bilingual(" of ", " / ").to(language)
    best_first = sorted(value["means"], key=lambda name: -value["means"][name])
    rows = [
        f"| {name} | {value['means'][name]:.3f} | {value['items_used'][name]}{of}{value['items']} |"
        for name in best_first
    ]
    return "\n".join([f"| {head.to(language)} |", "| --- | ---: | ---: |", *rows])


def _rivals(value: Mapping[str, Any], language: Language) -> str:
    others = [name for name in value["remaining"] if name != value["leader"]]
    return Bilingual(", ", "、").to(language).join(others)


def _unit_scale(scores: Mapping[str, list[float]]) -> tuple[float, float]:
    """What is 0 and what is 1: as they are for shares, else the lowest and highest score."""
    low, high = min(map(min, scores.values())), max(map(max, scores.values()))
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


_SHARE = Bilingual(
    "{share:.0%} of the answers of a full run were needed.", "只用了完整评测 {share:.0%} 的回答。"
)
_MORE = Bilingual(
    "About {more:,} more items would show whether the lead is real.",
    "大约还需 {more:,} 道题才能判断领先是否真实。",
)
_VERDICTS = {
    "winner": Bilingual(
        "**{leader}** is the best, by more than chance explains.",
        "**{leader}** 最好，差异不能用偶然解释。",
    ),
    "indistinguishable": Bilingual(
        "**{leader}** leads, and over all items {rivals} would lie within {delta} of it: choose by cost.",
        "**{leader}** 领先，但就全部题目而言，{rivals} 与它的差距在 {delta} 以内：可按成本选择。",
    ),
    "insufficient": Bilingual(
        "**{leader}** leads, but its lead over {rivals} may be chance: these items cannot prove it.",
        "**{leader}** 领先，但相对 {rivals} 的优势可能出于偶然：这些题目不足以证明。",
    ),
}
