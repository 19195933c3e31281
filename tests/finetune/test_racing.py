"""A race: the best candidate is never dropped more often than alpha allows, and clear races are short."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.racing import Race, RaceResult, replay

RACES = 200


def _outcomes(accuracies: list[float], n_items: int, seed: int) -> dict[str, list[float]]:
    """Candidates that find the same items hard: each item has a difficulty of its own."""
    chance = np.random.default_rng(seed)
    ability = [np.log(a / (1 - a)) for a in accuracies]
    difficulty = chance.normal(0, 1, n_items)
    right = 1 / (1 + np.exp(difficulty[None, :] - np.array(ability)[:, None]))
    return {f"m{i}": row.astype(float).tolist() for i, row in enumerate(chance.random(right.shape) < right)}


def _races(accuracies: list[float], n_items: int) -> list[RaceResult]:
    return [replay(_outcomes(accuracies, n_items, seed), seed=seed) for seed in range(RACES)]


@pytest.mark.parametrize("accuracies", [[0.7, 0.7], [0.72, 0.7, 0.7], [0.8, 0.6, 0.5, 0.79]])
def test_the_best_is_dropped_at_most_as_often_as_alpha_allows(accuracies: list[float]) -> None:
    best = f"m{accuracies.index(max(accuracies))}"
    dropped = sum(best not in race.remaining for race in _races(accuracies, 200))
    # Three standard errors above alpha = 0.05.
    assert dropped <= RACES * 0.05 + 3 * np.sqrt(RACES * 0.05 * 0.95)


def test_a_clear_race_is_short_and_names_the_best() -> None:
    races = _races([0.9, 0.5, 0.4], 500)
    assert all(race.winner == "m0" for race in races)
    assert np.mean([race.share_of_full_cost for race in races]) < 0.15


def test_a_race_that_stops_early_leads_with_whom_a_full_run_would_put_first() -> None:
    for seed in range(40):
        outcomes = _outcomes([0.75, 0.7, 0.65], 300, seed)
        full = {name: np.mean(scores) for name, scores in outcomes.items()}
        race = replay(outcomes, seed=seed)
        assert full[race.leader] > max(full.values()) - 0.01


def test_equal_candidates_are_indistinguishable_before_all_items_are_spent() -> None:
    same = _outcomes([0.7], 400, seed=1)["m0"]
    race = replay({"a": same, "b": same})
    assert (race.verdict, race.winner) == ("indistinguishable", None)
    assert race.share_of_full_cost < 0.8


def test_a_lead_that_may_be_chance_is_no_win_and_says_how_many_items_would_tell() -> None:
    race = replay(_outcomes([0.72, 0.68], 60, seed=3))
    assert race.verdict == "insufficient"
    assert race.winner is None
    assert race.more_items_needed is not None
    assert race.more_items_needed > 0


def test_scores_between_0_and_1_race_as_well() -> None:
    chance = np.random.default_rng(0)
    outcomes = {
        name: np.clip(chance.normal(mean, 0.2, 400), 0, 1).tolist()
        for name, mean in (("good", 0.7), ("fair", 0.55))
    }
    race = replay(outcomes)
    assert race.winner == "good"
    assert race.share_of_full_cost < 0.5


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_the_same_seed_gives_the_same_race_whatever_the_number_of_candidates_dropped(
    seed: int, batch: int
) -> None:
    outcomes = _outcomes([0.9, 0.6, 0.3], 80, seed)
    first, again = (replay(outcomes, seed=seed, batch=batch) for _ in range(2))
    assert first == again
    assert set(first.items_used) == set(outcomes)
    assert 0 < first.share_of_full_cost <= 1
    assert first.leader in first.remaining


def test_candidates_that_are_out_are_not_asked_again() -> None:
    race = Race(["good", "bad"], 1000)
    lost = race.see({"good": [1.0] * 60, "bad": [0.0] * 60})
    assert lost == ["bad"]
    assert race.is_over
    assert race.items_used == {"good": 60, "bad": 60}


@pytest.mark.parametrize("scores", [[1.5], [-0.1], [0.5, 0.5, 0.5]])
def test_scores_off_the_scale_and_items_beyond_the_last_are_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        Race(["a", "b"], 2).see({"a": scores, "b": scores})
