"""A close ranking -> the evaluation on the asker's data that would settle it, and what it would take.

True losses are drawn from what is believed, an evaluation of so many rows is played on each draw, and the
smallest number of rows is taken after which the model that looks best nearly always is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skills.ranking.rank import FINALISTS, Option, Ranked

ROWS = (50, 100, 200, 400, 800)
SETTLED = 0.9
"""Share of plays in which the model that looks best is the best, or as good as."""
AS_GOOD = 0.02
"""Losses that are closer than this make no difference to anybody."""
TOKENS_WRITTEN = 100
"""Assumed length of an answer in an evaluation."""
_TOKENS_READ_S = 0.25
"""Assumed time to read a row's prompt."""
_LOADING_S = 60.0
_MOST = 3
_DRAWS = 2000
_SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """An evaluation worth doing."""

    contenders: tuple[Option, ...]
    rows: int
    chance: float
    """That the model that looks best after it is the best of the contenders, or as good as."""
    gpu_minutes: float | None
    """An estimate; None when one of them is hosted."""


def settlement(ranked: Sequence[Ranked], alpha: float) -> Settlement | None:
    """The smallest evaluation that tells the likeliest of those shown apart; None when there are not two."""
    likely = sorted(ranked[:FINALISTS], key=lambda item: -item.p_best)[:_MOST]
    first = ranked[:1]
    contenders = tuple(item.option for item in [*first, *(i for i in likely if i not in first)][:_MOST])
    if len(contenders) < 2:
        return None
    chances = [(rows, _chance(contenders, alpha, rows)) for rows in ROWS]
    rows, chance = next(((r, c) for r, c in chances if c >= SETTLED), chances[-1])
    return Settlement(
        contenders=contenders, rows=rows, chance=chance, gpu_minutes=_gpu_minutes(contenders, rows)
    )


def _chance(contenders: Sequence[Option], alpha: float, rows: int) -> float:
    rng = np.random.default_rng(_SEED)
    mean, se, cost = np.array([(o.loss.value, o.loss.se, o.cost.value) for o in contenders]).T
    unit = max(1.0, alpha)
    true = np.clip(mean + se * rng.standard_normal((_DRAWS, len(contenders))), 0.01, 0.99)
    seen = true + np.sqrt(true * (1 - true) / rows) * rng.standard_normal(true.shape)
    scores = cost / unit + alpha / unit * true
    chosen = np.argmin(cost / unit + alpha / unit * seen, axis=1)
    regret = scores[np.arange(_DRAWS), chosen] - scores.min(axis=1)
    return float(np.mean(regret <= alpha / unit * AS_GOOD))


def _gpu_minutes(contenders: Sequence[Option], rows: int) -> float | None:
    seconds = 0.0
    for option in contenders:
        if option.tokens_per_s is None:
            return None
        seconds += _LOADING_S + rows * (_TOKENS_READ_S + TOKENS_WRITTEN / option.tokens_per_s)
    return seconds / 60
