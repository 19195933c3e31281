"""Curves so far, what a row costs, and a budget -> which candidates run next at which size, or that it is enough.

A race of base models by runs of doubling size: a candidate leaves when it has next to no chance to be the best at the
target, and the race ends when whoever leads is expected to be as good as the best. Decides only; whoever runs the
trainings, or replays a table of them, asks after every round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from finetune.curves import Curves, Prediction, predict

DROPPED_BELOW = 0.02
"""Chance to be the best at the target. docs/prediction.md shows what more and less of this and the next would cost."""
GOOD_ENOUGH_FRAC = 0.01
"""Expected shortfall of the leader, as a share of the span from the best candidate to the worst."""
_ROUNDS_TO_PREDICT, _ROUNDS_BEFORE_DROPPING = 2, 3

Ending = Literal["one left", "good enough", "target reached", "budget spent", "quota used up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the race may cost and where it leads."""

    sizes: tuple[int, ...]
    """Rows to learn from, round by round; the last one is the target."""
    cost_per_row: Mapping[str, float]
    """Of each candidate, in any unit."""
    budget: float
    """In the same unit."""

    @property
    def target(self) -> int:
        """Rows of the full tuning."""
        return self.sizes[-1]

    def cost(self, models: Sequence[str], size: int) -> float:
        """What it costs to tune these from the start on so many rows."""
        return size * sum(self.cost_per_row[model] for model in models)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What comes after a round."""

    running: tuple[str, ...]
    """Who is still in the running, the likeliest to win first."""
    size: int | None
    """Rows of their next runs; None when the race is over."""
    ending: Ending | None
    prediction: Prediction | None
    """None before there are enough rounds to predict, and at the target, where nothing is left to predict."""


def doubling_sizes(smallest: int, target: int) -> tuple[int, ...]:
    """Sizes that end at the target and halve on the way down, none below `smallest`."""
    sizes = [target]
    while sizes[-1] // 2 >= smallest:
        sizes.append(sizes[-1] // 2)
    return tuple(reversed(sizes))


def next_step(curves: Curves, plan: Plan, *, running: Sequence[str], spent: float) -> Step:
    """Say what to do, now that those in the running have been tuned at every size of `curves`.

    A candidate whose run failed at the last size is out of the running: leave it out of `running`.
    """
    done = curves.sizes[-1] if curves.sizes else 0
    following = next((size for size in plan.sizes if size > done), None)
    if following is None:
        return Step(running=_by_loss(curves, running), size=None, ending="target reached", prediction=None)
    rounds, prediction = len(curves.sizes), None
    if rounds >= _ROUNDS_TO_PREDICT:
        prediction = predict(curves, budget=done, target=plan.target, among=running)
        running = _left(prediction, drops=rounds >= _ROUNDS_BEFORE_DROPPING)
    elif rounds:
        running = _by_loss(curves, running)
    is_sure = prediction is not None and rounds >= _ROUNDS_BEFORE_DROPPING
    ending = _ending(
        prediction if is_sure else None, running, spent + plan.cost(running, following) > plan.budget
    )
    return Step(
        running=tuple(running), size=None if ending else following, ending=ending, prediction=prediction
    )


def _left(prediction: Prediction, *, drops: bool) -> tuple[str, ...]:
    """Whoever may still be the best; one that is too uncertain to rank runs on, which is how it becomes certain."""
    first = prediction.first
    left = [
        one
        for one in prediction.ranking
        if not drops or one is first or one.p_best > DROPPED_BELOW or not one.is_ranked
    ]
    return tuple(one.model for one in sorted(left, key=lambda one: (one is not first, -one.p_best)))


def _ending(prediction: Prediction | None, running: Sequence[str], is_too_dear: bool) -> Ending | None:
    if len(running) == 1:
        return "one left"
    if prediction and prediction.shortfall_frac < GOOD_ENOUGH_FRAC:
        return "good enough"
    return "budget spent" if is_too_dear else None


def _by_loss(curves: Curves, running: Sequence[str]) -> tuple[str, ...]:
    losses = {model: curves.losses[curves.models.index(model), -1] for model in running}
    return tuple(sorted(running, key=lambda model: np.nan_to_num(losses[model], nan=np.inf)))
