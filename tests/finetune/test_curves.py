"""Predictions from small runs: on curves whose end is known because a law made them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from finetune.curves import Curves, Prediction, predict
from finetune.trend import Values
from index.errors import BadInput

SIZES = tuple(200 * 2**k for k in range(11))
BUDGET, TARGET = SIZES[7], SIZES[10]


def _law(scale: float, pre_learned: float, exponent: float, floor: float) -> Values:
    """The rectified scaling law: L(D) = B / (D_l + D^beta) + E."""
    sizes = np.array(SIZES, dtype=float)
    losses: Values = scale / (pre_learned + sizes**exponent) + floor
    return losses


def _curves(losses: dict[str, Values], noise: float = 0.004, seed: int = 0) -> Curves:
    chance = np.random.default_rng(seed)
    true = np.array(list(losses.values()))
    noisy = true * np.exp(noise * chance.standard_normal(true.shape))
    return Curves(models=tuple(losses), sizes=SIZES, losses=noisy)


def _team(seed: int, count: int = 8) -> dict[str, Values]:
    chance = np.random.default_rng(seed)
    return {
        f"m{i}": _law(chance.uniform(20, 60), chance.uniform(10, 40), chance.uniform(0.25, 0.4), chance.uniform(0.3, 0.6))
        for i in range(count)
    }  # fmt: skip


CROSSING = {"early": _law(12, 12, 0.3, 1.0), "late": _law(260, 60, 0.5, 0.3), "poor": _law(30, 10, 0.3, 1.6)}


def _with(curves: Curves, model: str, place: slice | int, value: float | Values) -> Curves:
    losses = curves.losses.copy()
    losses[curves.models.index(model), place] = value
    return replace(curves, losses=losses)


def _predict(curves: Curves) -> Prediction:
    return predict(curves, budget=BUDGET, target=TARGET)


def test_the_winner_at_the_target_is_found_although_another_leads_at_the_budget() -> None:
    curves = _curves(CROSSING)
    at_budget = dict(zip(curves.models, curves.losses[:, SIZES.index(BUDGET)], strict=True))
    assert min(at_budget, key=at_budget.__getitem__) == "early"
    assert _predict(curves).first.model == "late"


def test_later_points_are_not_looked_at() -> None:
    curves = _curves(CROSSING)
    spoiled = replace(curves, losses=np.where(np.array(SIZES) > BUDGET, 9.0, curves.losses))
    assert _predict(spoiled) == _predict(curves)


def test_the_intervals_hold_about_as_many_true_losses_as_they_say() -> None:
    inside = []
    for seed in range(25):
        curves = _curves(_team(seed), seed=seed)
        truth = dict(zip(curves.models, curves.losses[:, -1], strict=True))
        inside += [
            one.interval95[0] <= truth[one.model] <= one.interval95[1] for one in _predict(curves).ranking
        ]
    assert np.mean(inside) >= 0.9


def test_more_runs_narrow_the_intervals_and_sharpen_the_choice() -> None:
    curves = _curves(CROSSING)
    early, late = (predict(curves, budget=SIZES[place], target=TARGET) for place in (3, 9))
    width = [one.ranking[0].interval95[1] - one.ranking[0].interval95[0] for one in (early, late)]
    assert width[1] < width[0]
    assert late.verdict == "winner"
    assert late.shortfall_frac <= early.shortfall_frac


def test_one_spoiled_run_does_not_turn_the_ranking() -> None:
    curves = _curves(CROSSING)
    spoiled = _with(curves, "late", 5, curves.losses[1, 5] * 1.3)
    assert [one.model for one in _predict(spoiled).ranking] == [one.model for one in _predict(curves).ranking]
    assert _predict(spoiled).ranking[0].predicted_loss == pytest.approx(
        _predict(curves).ranking[0].predicted_loss, rel=0.08
    )


def test_a_curve_that_jumps_to_a_new_level_goes_on_from_there() -> None:
    """As bart-base on Gigaword: 2.39 at 6,400 rows, 2.02 at 12,800, then on as before."""
    curves = _curves(CROSSING)
    jumped = _with(curves, "poor", slice(5, None), curves.losses[2, 5:] * 0.8)
    at_end = {one.model: one.predicted_loss for one in _predict(jumped).ranking}
    assert at_end["poor"] == pytest.approx(jumped.losses[2, -1], rel=0.08)


def test_missing_runs_are_no_obstacle() -> None:
    curves = _curves(CROSSING)
    holes = _with(_with(_with(curves, "late", 2, np.nan), "early", slice(6, 8), np.nan), "poor", 0, np.nan)
    found = _predict(holes)
    assert found.first.model == "late"
    assert {one.model: one.runs for one in found.ranking} == {"late": 7, "early": 6, "poor": 7}


def test_a_candidate_without_a_run_is_named_and_not_ranked() -> None:
    found = _predict(_with(_curves(CROSSING), "poor", slice(None), np.nan))
    assert found.without_runs == ("poor",)
    assert "poor" not in {one.model for one in found.ranking}


def test_a_candidate_with_one_run_is_not_ranked_however_low_its_loss() -> None:
    curves = _with(_curves(CROSSING), "poor", slice(None), np.nan)
    curves = _with(curves, "poor", 7, 0.2)
    last = _predict(curves).ranking[-1]
    assert (last.model, last.doubt, last.is_ranked) == ("poor", "one run", False)


def test_a_candidate_that_jumps_about_is_too_uncertain_to_rank() -> None:
    steady = {name: _law(30 + i, 20, 0.4, 0.5) for i, name in enumerate("abcd")}
    curves = _curves({**steady, "wild": steady["a"]}, noise=0.002)
    wild = curves.losses[4] * np.array([1.0, 2.1, 0.6, 1.8, 0.5, 2.2, 0.6, 1.5, 1, 1, 1])
    last = _predict(_with(curves, "wild", slice(None), wild)).ranking[-1]
    assert (last.model, last.doubt) == ("wild", "too wide")


def test_a_rising_curve_is_said_to_rise() -> None:
    curves = _with(_curves(CROSSING), "poor", slice(None), 2 + 0.05 * np.arange(len(SIZES)))
    assert {one.model: one.doubt for one in _predict(curves).ranking}["poor"] == "rising"


def test_equal_candidates_are_indistinguishable() -> None:
    same = _law(30, 20, 0.4, 0.5)
    found = _predict(_curves({"a": same, "b": same, "c": same}, noise=0))
    assert found.verdict == "indistinguishable"
    assert set(found.may_win) == {"a", "b", "c"}


def test_the_size_of_the_steps_does_not_matter() -> None:
    """Every other size, and a budget between two of them, lead to much the same losses."""
    curves = _curves(CROSSING, noise=0.001)
    sparse = Curves(models=curves.models, sizes=curves.sizes[1::2], losses=curves.losses[:, 1::2])
    found = predict(sparse, budget=BUDGET + 100, target=TARGET)
    dense = {one.model: one.predicted_loss for one in _predict(curves).ranking}
    assert found.largest_run == BUDGET
    for one in found.ranking:
        assert one.predicted_loss == pytest.approx(dense[one.model], rel=0.12)


def test_one_candidate_alone_is_predicted() -> None:
    curves = _curves({"late": CROSSING["late"]})
    found = _predict(curves)
    assert found.first.interval95[0] < curves.losses[0, -1] < found.first.interval95[1]
    assert found.may_win == ("late",)


def test_those_who_left_still_tell_how_curves_go_on_but_are_not_ranked() -> None:
    curves = _curves(_team(1))
    found = predict(curves, budget=BUDGET, target=TARGET, among=("m1", "m2"))
    assert {one.model for one in found.ranking} == {"m1", "m2"}
    assert sum(one.p_best for one in found.ranking) == pytest.approx(1)


@pytest.mark.parametrize("target", [BUDGET, BUDGET - 1])
def test_a_target_that_is_not_beyond_the_budget_is_refused(target: int) -> None:
    with pytest.raises(BadInput, match="nothing to predict"):
        predict(_curves(CROSSING), budget=BUDGET, target=target)


@pytest.mark.parametrize("budget", [SIZES[0], SIZES[0] - 1])
def test_one_point_is_not_enough(budget: int) -> None:
    with pytest.raises(BadInput, match="at least two runs"):
        predict(_curves(CROSSING), budget=budget, target=TARGET)
