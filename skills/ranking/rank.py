"""Options with cost and loss -> ranked, with the chance that each is the best and where the answer flips.

The rule: the best option is the one with the smallest cost + alpha * loss, where alpha is what a full unit
of quality is worth. All pure arithmetic; constraints were applied before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from index.records import ModelFact, Quantization
from skills.ranking.cost import UsdPerMtok
from skills.ranking.loss import Expected

_DRAWS = 4000
_SEED = 20_26
FINALISTS = 5
"""So many are shown. The chance to be the best is that among all, shown or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way to run one model, with what it costs and what it is expected to lose."""

    model: ModelFact
    quantization: Quantization | None
    adapter: str | None = None
    cost: UsdPerMtok
    loss: Expected
    vram_gib: float | None = None
    tokens_per_s: float | None = None

    def score(self, alpha: float) -> float:
        """cost + alpha * loss, in USD per million tokens."""
        return self.cost.value + alpha * self.loss.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """An option in its place."""

    option: Option
    score: float
    p_best: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The option that wins for every alpha between two values; None is no upper end."""

    option: Option
    alpha_from: float
    alpha_to: float | None


def rank(options: Sequence[Option], alpha: float) -> list[Ranked]:
    """Best first. Each model appears once, in the way of running it that scores best.

    `p_best` is the chance to be the best of all that are ranked.
    """
    best: dict[tuple[str, str | None], Option] = {}
    for option in options:
        key = (option.model.id, option.adapter)
        if key not in best or option.score(alpha) < best[key].score(alpha):
            best[key] = option
    ordered = sorted(best.values(), key=lambda option: (option.score(alpha), option.model.id))
    chances = _chances(ordered, alpha)
    return [
        Ranked(option=option, score=option.score(alpha), p_best=chance)
        for option, chance in zip(ordered, chances, strict=True)
    ]


def frontier(options: Sequence[Option]) -> list[Piece]:
    """The exact lower envelope of cost + alpha * loss over alpha >= 0, from cheap to good.

    Each option is a line in alpha; the envelope is walked from alpha = 0, each time to the line that is
    overtaken next.
    """
    if not options:
        return []
    current = min(options, key=lambda option: (option.cost.value, option.loss.value))
    pieces: list[Piece] = []
    alpha = 0.0
    while True:
        following = _next_crossing(current, options)
        if following is None:
            return [*pieces, Piece(option=current, alpha_from=alpha, alpha_to=None)]
        pieces.append(Piece(option=current, alpha_from=alpha, alpha_to=following[0]))
        alpha, current = following


def _next_crossing(current: Option, options: Sequence[Option]) -> tuple[float, Option] | None:
    """The smallest alpha at which an option with less loss becomes as good as `current`."""
    crossings = [
        (
            (option.cost.value - current.cost.value) / (current.loss.value - option.loss.value),
            option.loss.value,
            index,
        )
        for index, option in enumerate(options)
        if option.loss.value < current.loss.value
    ]
    if not crossings:
        return None
    alpha, _, index = min(crossings)
    return alpha, options[index]


def _chances(ordered: Sequence[Option], alpha: float) -> list[float]:
    """The share of seeded draws of all losses in which each option comes out best."""
    if not ordered:
        return []
    rng = np.random.default_rng(_SEED)
    unit = max(1.0, alpha)  # keeps the sums small, however large alpha is
    mean, se, cost = (
        np.array(values, dtype=np.float32)
        for values in zip(*((o.loss.value, o.loss.se, o.cost.value / unit) for o in ordered), strict=True)
    )
    scores = rng.standard_normal((_DRAWS, len(ordered)), dtype=np.float32)
    scores *= se
    scores += mean
    np.clip(scores, 0.0, 1.0, out=scores)
    scores *= np.float32(alpha / unit)
    scores += cost
    winners = np.argmin(scores, axis=1)
    counts = np.bincount(winners, minlength=len(ordered))
    return [float(count) / _DRAWS for count in counts]
