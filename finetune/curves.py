"""Losses at small sizes -> the loss at the full size, with an interval, and which base model will be best once tuned.

Reads only what was measured up to the budget: neither later points, nor the size of a model, nor its loss before tuning.
How a curve is continued is in trend.py; docs/prediction.md has the reasons and docs/benchmarks.md how good it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from finetune.trend import Outlook, Settings, Values, follow, look_ahead
from index.bilingual import Bilingual
from index.errors import BadInput

METHOD = "local linear trend of log loss over log size, dynamics shared by the candidates"

_DRAWS = 4_000
_SURE = 0.95
_MAY_WIN = 0.05
_SAME_LOSS = 0.005
"""Predictions that differ by less than this share of the loss are the same for all that anyone will notice."""

Verdict = Literal["winner", "indistinguishable", "insufficient"]
Doubt = Literal["one run", "too wide", "rising"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Losses on one set of held-out rows after tuning on growing numbers of rows."""

    models: tuple[str, ...]
    sizes: tuple[int, ...]
    """Rows that were learned from: above zero, ascending."""
    losses: Values
    """Models x sizes; above zero, NaN where there is no run."""

    def up_to(self, budget: int) -> Curves:
        """Return what is known when no run may learn from more rows than `budget`."""
        seen = [place for place, size in enumerate(self.sizes) if size <= budget]
        sizes = tuple(self.sizes[place] for place in seen)
        return Curves(models=self.models, sizes=sizes, losses=self.losses[:, seen])

    def of(self, models: Sequence[str]) -> Curves:
        """Return the curves of these models only, and the sizes at which one of them ran."""
        losses = self.losses[[self.models.index(model) for model in models]]
        seen = np.flatnonzero(np.isfinite(losses).any(axis=0))
        sizes = tuple(self.sizes[place] for place in seen)
        return Curves(models=tuple(models), sizes=sizes, losses=losses[:, seen])


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a candidate's loss will be at the target."""

    model: str
    predicted_loss: float
    interval95: tuple[float, float]
    """Holds what may befall all candidates alike, too."""
    p_best: float
    """Among those that can be ranked; 0 for the others."""
    runs: int
    doubt: Doubt | None
    """Why it cannot be ranked ("one run", "too wide"), or is ranked with a remark ("rising")."""

    @property
    def is_ranked(self) -> bool:
        """Whether its place among the others means anything."""
        return self.doubt in (None, "rising")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The candidates at the target, best first; those too uncertain to rank come last."""

    ranking: tuple[Forecast, ...]
    verdict: Verdict
    may_win: tuple[str, ...]
    """Ranked candidates whose chance to be the best is above 5%, the likeliest first; never empty."""
    target: int
    largest_run: int
    shortfall_frac: float
    """How much worse than the best one the first is expected to be, as a share of the span from best to worst."""
    without_runs: tuple[str, ...]
    """Candidates that have no run up to the budget."""

    @property
    def first(self) -> Forecast:
        """The one to tune in full."""
        return self.ranking[0]


def predict(
    curves: Curves,
    *,
    budget: int,
    target: int,
    among: Sequence[str] | None = None,
    settings: Settings | None = None,
) -> Prediction:
    """Predict each candidate's loss at `target` rows from its runs of at most `budget` rows.

    `among`: who is in the running; the curves of others only tell how such curves go on.
    BadInput where no candidate has two runs to draw a line through, or the target is not beyond the budget.
    """
    if target <= budget:
        raise _no_prediction(target, budget)
    known = curves.up_to(budget)
    runs = np.isfinite(known.losses).sum(axis=1)
    if int(runs.max(initial=0)) < 2:
        raise _too_few_runs(budget, int(runs.max(initial=0)))
    known = known.of([model for model, count in zip(known.models, runs, strict=True) if count])
    outlook = _outlook(known, target, settings or Settings())
    span = float(np.ptp(np.exp(outlook.mean)))
    known, outlook = _running(known, outlook, curves.models if among is None else among)
    forecasts = _forecasts(known, outlook)
    ranking = sorted(forecasts, key=lambda one: (not one.is_ranked, one.predicted_loss))
    likeliest_first = sorted(forecasts, key=lambda one: -one.p_best)
    may_win = [one.model for one in likeliest_first if one.is_ranked and one.p_best > _MAY_WIN]
    return Prediction(
        ranking=tuple(ranking),
        verdict=_verdict(ranking),
        may_win=tuple(may_win or [ranking[0].model]),
        target=target,
        largest_run=known.sizes[-1],
        shortfall_frac=_shortfall(outlook, known.models.index(ranking[0].model), span),
        without_runs=tuple(model for model, count in zip(curves.models, runs, strict=True) if not count),
    )


def _outlook(known: Curves, target: int, settings: Settings) -> Outlook:
    log2_sizes = np.log2(np.array(known.sizes, dtype=float))
    trends = follow(log2_sizes, np.log(known.losses), settings)
    return look_ahead(trends, float(np.log2(target) - log2_sizes[-1]), draws=_DRAWS)


def _running(known: Curves, outlook: Outlook, among: Sequence[str]) -> tuple[Curves, Outlook]:
    places = [place for place, model in enumerate(known.models) if model in among]
    models = tuple(known.models[place] for place in places)
    return (
        Curves(models=models, sizes=known.sizes, losses=known.losses[places]),
        Outlook(mean=outlook.mean[places], own=outlook.own[:, places], together=outlook.together[:, places]),
    )


def _shortfall(outlook: Outlook, first: int, span: float) -> float:
    """The mean over draws of how far the first lies behind the best of that draw."""
    drawn = np.exp(outlook.own)
    return float((drawn[:, first] - drawn.min(axis=1)).mean() / span) if span > 0 else 0.0


def _forecasts(known: Curves, outlook: Outlook) -> list[Forecast]:
    low, high = np.exp(np.quantile(outlook.together, (0.025, 0.975), axis=0))
    doubts = _doubts(known, outlook)
    is_ranked = np.array([doubt in (None, "rising") for doubt in doubts])
    own = np.where(is_ranked, outlook.own, np.inf) if is_ranked.any() else outlook.own
    wins = np.bincount(own.argmin(axis=1), minlength=len(known.models)) / len(own)
    runs = np.isfinite(known.losses).sum(axis=1)
    return [
        Forecast(
            model=model,
            predicted_loss=float(np.exp(outlook.mean[place])),
            interval95=(float(low[place]), float(high[place])),
            p_best=float(wins[place]),
            runs=int(runs[place]),
            doubt=doubts[place],
        )
        for place, model in enumerate(known.models)
    ]


def _doubts(known: Curves, outlook: Outlook) -> list[Doubt | None]:
    """A candidate that could as well be the best as the worst, while the others are known better, has no place."""
    low, high = np.quantile(outlook.own, (0.025, 0.975), axis=0)
    is_vague = high - low > 2 * np.median(high - low)
    doubts: list[Doubt | None] = []
    for place, curve in enumerate(known.losses):
        others = np.delete(outlook.mean, place)
        seen = curve[np.isfinite(curve)]
        if len(seen) < 2:
            doubts.append("one run")
        elif len(others) and is_vague[place] and low[place] < others.min() and high[place] > others.max():
            doubts.append("too wide")
        else:
            doubts.append("rising" if outlook.mean[place] > np.log(seen[-1]) else None)
    return doubts


def _verdict(ranking: Sequence[Forecast]) -> Verdict:
    ranked = [one for one in ranking if one.is_ranked]
    if not ranked:
        return "insufficient"
    if len(ranked) == 1:
        return "winner" if len(ranking) == 1 else "insufficient"
    losses = [one.predicted_loss for one in ranked]
    if max(losses) / min(losses) - 1 < _SAME_LOSS:
        return "indistinguishable"
    return "winner" if ranked[0].p_best >= _SURE else "insufficient"


def _no_prediction(target: int, budget: int) -> BadInput:
    return BadInput(
        Bilingual(
            f"The target of {target:,} rows is not beyond the budget of {budget:,}: there is nothing to predict. "
            "Give a --target above --budget.",
            f"目标 {target:,} 行没有超出预算 {budget:,} 行，无需预测。请让 --target 大于 --budget。",
        )
    )


def _too_few_runs(budget: int, most: int) -> BadInput:
    return BadInput(
        Bilingual(
            f"A prediction needs at least two runs of one candidate, and up to {budget:,} rows none has more than "
            f"{most}. Run them at a second size, or raise --budget.",
            f"预测至少需要同一候选的两次训练；{budget:,} 行以内，每个候选最多只有 {most} 次。"
            "请再训练一个规模，或提高 --budget。",
        )
    )
