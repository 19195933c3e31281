"""The race of base models: who runs next, at which size, and when it is enough."""

from __future__ import annotations

import numpy as np
import pytest

from finetune.curves import Curves
from finetune.selection import Plan, Step, doubling_sizes, next_step
from finetune.trend import Values

SIZES = doubling_sizes(200, 204_800)
LAWS = {"early": (12.0, 12.0, 0.3, 1.0), "late": (260.0, 60.0, 0.5, 0.3), "poor": (30.0, 10.0, 0.3, 1.6)}


def _loss(model: str, size: int) -> float:
    scale, pre_learned, exponent, floor = LAWS[model]
    return float(scale / (pre_learned + size**exponent) + floor)


def _plan(budget: float = float("inf")) -> Plan:
    return Plan(sizes=SIZES, cost_per_row=dict.fromkeys(LAWS, 1.0), budget=budget)


def _race(budget: float = float("inf")) -> tuple[Step, dict[str, list[int]], float]:
    """Run the race on the laws: its end, who ran at which sizes, and what it cost."""
    plan, ran, spent = _plan(budget), {model: [] for model in LAWS}, 0.0
    step = Step(running=tuple(LAWS), size=SIZES[0], ending=None, prediction=None)
    losses: list[Values] = []
    while step.size is not None:
        column = [_loss(model, step.size) if model in step.running else np.nan for model in LAWS]
        losses.append(np.array(column))
        for model in step.running:
            ran[model].append(step.size)
        spent += plan.cost(step.running, step.size)
        curves = Curves(models=tuple(LAWS), sizes=SIZES[: len(losses)], losses=np.array(losses).T)
        step = next_step(curves, plan, running=step.running, spent=spent)
    return step, ran, spent


def test_sizes_double_up_to_the_target() -> None:
    assert doubling_sizes(100, 1000) == (125, 250, 500, 1000)
    assert doubling_sizes(800, 1000) == (1000,)


def test_the_race_ends_with_the_one_that_is_best_in_full_and_costs_a_part_of_tuning_all() -> None:
    end, ran, spent = _race()
    assert end.running[0] == min(LAWS, key=lambda model: _loss(model, SIZES[-1])) == "late"
    assert spent < 0.7 * _plan().cost(tuple(LAWS), SIZES[-1])
    assert max(ran["poor"]) < max(ran["late"])


def test_nobody_leaves_before_there_are_three_rounds() -> None:
    _, ran, _ = _race()
    assert all(len(sizes) >= 3 for sizes in ran.values())


def test_a_round_that_would_exceed_the_budget_is_not_begun() -> None:
    budget = _plan().cost(tuple(LAWS), sum(SIZES[:3])) + 1
    end, _, spent = _race(budget)
    assert end.ending == "budget spent"
    assert spent <= budget
    assert end.prediction is not None
    assert end.prediction.first.model == end.running[0]


def test_at_the_target_losses_are_compared_and_nothing_is_predicted() -> None:
    curves = Curves(models=("a", "b"), sizes=(100, 200), losses=np.array([[2.0, 1.8], [2.1, 1.7]]))
    plan = Plan(sizes=(100, 200), cost_per_row={"a": 1.0, "b": 1.0}, budget=1e9)
    step = next_step(curves, plan, running=("a", "b"), spent=0)
    assert (step.running, step.ending, step.prediction) == (("b", "a"), "target reached", None)


def test_one_who_is_left_alone_has_won() -> None:
    curves = Curves(models=("a", "b"), sizes=(100,), losses=np.array([[2.0], [np.nan]]))
    step = next_step(curves, Plan(sizes=SIZES, cost_per_row={"a": 1.0}, budget=1e9), running=("a",), spent=0)
    assert step.ending == "one left"


@pytest.mark.parametrize("budget", [50.0, 0.0])
def test_a_budget_below_the_first_round_ends_at_once(budget: float) -> None:
    empty = Curves(models=tuple(LAWS), sizes=(), losses=np.empty((3, 0)))
    assert next_step(empty, _plan(budget), running=tuple(LAWS), spent=0).ending == "budget spent"
