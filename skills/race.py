"""Given outcomes -> who wins a race over them, and how few items it takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.clusters import group_codes
from finetune.racing import replay
from index.bilingual import Bilingual, Language
from index.errors import BadInput
from skills.outcome_tables import n_incomplete
from skills.outcomes import read_outcomes


def race_outcomes(
    path: Path, *, alpha: float, delta: float, seed: int, metric: str | None = None
) -> dict[str, Any]:
    """Race the candidates of a file of outcomes on the items that all of them have.

    Percents, and scores off the scale from 0 to 1 by the lowest and the highest in the file, are brought to it, and
    `delta` is on that scale. Items that some have no score for are left out and counted.
    """
    outcomes = read_outcomes(path, metric=metric)
    items = sorted(set.intersection(*(set(of_one) for of_one in outcomes.by_candidate.values())))
    if len(outcomes.by_candidate) < 2 or len(items) < 2:
        raise _nothing_to_race(path, len(outcomes.by_candidate), len(items))
    low, high = outcomes.scale
    sign, zero = (1.0, low) if outcomes.higher_is_better else (-1.0, high)
    spread = sign * ((high - low) or 1.0)
    scores = {
        name: [(of_one[item] - zero) / spread for item in items]
        for name, of_one in outcomes.by_candidate.items()
    }
    groups = group_codes([outcomes.groups.get(item) for item in items]) if outcomes.answers else None
    result = replay(scores, alpha=alpha, delta=delta, seed=seed, groups=groups)
    return {
        "winner": result.winner,
        "leader": result.leader,
        "verdict": result.verdict,
        "remaining": list(result.remaining),
        "items_used": result.items_used,
        "items": len(items),
        "share_of_full_cost": result.share_of_full_cost,
        "items_left_out": n_incomplete(outcomes.by_candidate),
        "groups": None if groups is None else int(groups.max()) + 1,
        "means": {name: zero + mean * spread for name, mean in result.means.items()},
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
    left_out = _LEFT_OUT.to(language).format(count=value["items_left_out"]) if value["items_left_out"] else ""
    return f"{text}{left_out}\n\n{_table(value, language)}"


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


def _nothing_to_race(path: Path, candidates: int, items: int) -> BadInput:
    return BadInput(
        Bilingual(
            f"A race needs two candidates and two items that both have; {path.name} has {candidates} candidates and "
            f"{items} common items.",
            f"竞速至少需要两个候选和两个共同的题目；{path.name} 中有 {candidates} 个候选、{items} 个共同题目。",
        )
    )


_SHARE = Bilingual(
    "{share:.0%} of the answers of a full run were needed.", "只用了完整评测 {share:.0%} 的回答。"
)
_MORE = Bilingual(
    "About {more:,} more items would show whether the lead is real.",
    "大约还需 {more:,} 道题才能判断领先是否真实。",
)
_LEFT_OUT = Bilingual(
    " {count:,} items without a score from everybody are left out.", "有 {count:,} 道题并非人人有分，未使用。"
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
