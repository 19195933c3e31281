"""Losses of small tuning runs -> which base model will be best after full tuning, in words and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.curves import METHOD, Doubt, Forecast, Prediction, Verdict, predict
from index.bilingual import Bilingual, Language
from skills.curve_tables import read_curves

_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePrediction:
    """A prediction from a file of losses."""

    prediction: Prediction
    budget: int
    remarks: tuple[Bilingual, ...]


def predict_file(path: Path, *, budget: int, target: int) -> FilePrediction:
    """Predict from the runs of at most `budget` rows in the file; what it has beyond them is not looked at."""
    table = read_curves(path)
    prediction = predict(table.curves, budget=budget, target=target)
    return FilePrediction(prediction=prediction, budget=budget, remarks=table.remarks)


def prediction_json(of_file: FilePrediction, language: Language) -> dict[str, Any]:
    """The JSON of `shortlist predict`."""
    prediction = of_file.prediction
    return {
        "ranking": [
            {
                "rank": place if one.is_ranked else None,
                "model": one.model,
                "predicted_loss": one.predicted_loss,
                "interval95": list(one.interval95),
                "p_best": one.p_best if one.is_ranked else None,
                "runs": one.runs,
                "doubt": one.doubt,
            }
            for place, one in enumerate(prediction.ranking, start=1)
        ],
        "method": METHOD,
        "verdict": prediction.verdict,
        "winner": prediction.first.model if prediction.verdict == "winner" else None,
        "may_win": list(prediction.may_win),
        "budget": of_file.budget,
        "target": prediction.target,
        "largest_run": prediction.largest_run,
        "shortfall_frac": prediction.shortfall_frac,
        "without_runs": list(prediction.without_runs),
        "remarks": [remark.to(language) for remark in of_file.remarks],
    }


def prediction_markdown(of_file: FilePrediction, language: Language) -> str:
    """The verdict in a sentence, a table of the candidates, and what is to be said about the file."""
    prediction = of_file.prediction
    parts = [_verdict(prediction, language), table(prediction.ranking, prediction.target, language)]
    parts += [remark.to(language) for remark in of_file.remarks]
    if prediction.without_runs:
        names = _listed(prediction.without_runs, language)
        parts.append(_WITHOUT_RUNS.to(language).format(names=names, budget=of_file.budget))
    return "\n\n".join(parts)


def table(ranking: Sequence[Forecast], target: int, language: Language) -> str:
    """The candidates as a Markdown table, best first."""
    head = _HEAD.to(language).format(target=target)
    rows = [_row(place, one, language) for place, one in enumerate(ranking[:_SHOWN], start=1)]
    more = len(ranking) - len(rows)
    if more > 0:
        rows.append(_MORE.to(language).format(more=more))
    return "\n".join([f"| {head} |", "| ---: | --- | ---: | ---: | ---: | --- |", *rows])


def _row(place: int, one: Forecast, language: Language) -> str:
    low, high = one.interval95
    remark = _DOUBTS[one.doubt].to(language) if one.doubt else ""
    best = f"{one.p_best:.0%}" if one.is_ranked else "–"
    number = str(place) if one.is_ranked else "–"
    return f"| {number} | {one.model} | {one.predicted_loss:.3f} | {low:.3f}–{high:.3f} | {best} | {remark} |"


def _verdict(prediction: Prediction, language: Language) -> str:
    first = prediction.first
    words = (
        _NOT_ONE if not first.is_ranked else _ONLY if _is_alone(prediction) else _VERDICTS[prediction.verdict]
    )
    rivals = [model for model in prediction.may_win if model != first.model]
    return words.to(language).format(
        first=first.model,
        loss=first.predicted_loss,
        low=first.interval95[0],
        high=first.interval95[1],
        p_best=first.p_best,
        target=prediction.target,
        largest=prediction.largest_run,
        rivals=_listed(rivals, language) or Bilingual("others", "其他候选").to(language),
    )


def _is_alone(prediction: Prediction) -> bool:
    return len(prediction.ranking) == 1


def _listed(names: Sequence[str], language: Language) -> str:
    return Bilingual(", ", "、").to(language).join(names)


_HEAD = Bilingual(
    "| model | loss at {target:,} rows | 95% | best? | remark", "| 模型 | {target:,} 行时的损失 | 95% 区间 | 最优概率 | 备注"
)  # fmt: skip
_MORE = Bilingual("| | and {more} more | | | | |", "| | 另有 {more} 个 | | | | |")
_WITHOUT_RUNS = Bilingual(
    "No run of at most {budget:,} rows, so no prediction: {names}.",
    "{budget:,} 行以内没有训练，无法预测：{names}。",
)
_DOUBTS: dict[Doubt, Bilingual] = {
    "one run": Bilingual("one run only: cannot be ranked", "只有一次训练：无法排名"),
    "too wide": Bilingual(
        "too uncertain to rank: run it larger", "不确定性太大，无法排名：请用更多数据再训练"
    ),
    "rising": Bilingual("its loss is rising", "损失在上升"),
}
_NOT_ONE = Bilingual(
    "These runs are too few to rank anybody at {target:,} rows. Run the candidates at one more size.",
    "这些训练太少，无法对 {target:,} 行时的表现排名。请再训练一个规模。",
)
_ONLY = Bilingual(
    "**{first}** would end at a loss of {loss:.3f} ({low:.3f} to {high:.3f}) at {target:,} rows. It has no rival.",
    "**{first}** 在 {target:,} 行时的损失预计为 {loss:.3f}（{low:.3f} 至 {high:.3f}）；没有其他候选可选。",
)
_VERDICTS: dict[Verdict, Bilingual] = {
    "winner": Bilingual(
        "**{first}** will be the best at {target:,} rows ({p_best:.0%} sure), with a loss of {loss:.3f} "
        "({low:.3f} to {high:.3f}).",
        "**{first}** 在 {target:,} 行时会最好：损失 {loss:.3f}（{low:.3f} 至 {high:.3f}），把握 {p_best:.0%}。",
    ),
    "indistinguishable": Bilingual(
        "As far as these runs tell, all are heading for the same loss, {loss:.3f} at {target:,} rows: choose by cost.",
        "就这些训练来看，各候选都将到达相同的损失（{target:,} 行时 {loss:.3f}）：可按成本选择。",
    ),
    "insufficient": Bilingual(
        "**{first}** looks best at {target:,} rows with a loss of {loss:.3f} ({low:.3f} to {high:.3f}), but runs of up to "
        "{largest:,} rows make that only {p_best:.0%} likely: {rivals} may still win. Runs twice as large tell more.",
        "**{first}** 在 {target:,} 行时看来最好，损失 {loss:.3f}（{low:.3f} 至 {high:.3f}），"
        "但凭最多 {largest:,} 行的训练只有 {p_best:.0%} 的把握：{rivals} 仍可能胜出。把训练规模加倍可以看得更清楚。",
    ),
}
