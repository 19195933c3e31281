"""Rows that come in groups: errors count groups, as formula and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.clusters import effective_rows, group_codes, standard_error
from finetune.comparison import Comparison, ItemScore, Measure, conclude
from finetune.paired import compare_paired, share_interval
from finetune.racing import Steps, replay

GROUPS, OF_EACH = 40, 15

values = st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 4)), min_size=6, max_size=40)


def correlated(
    seed: int, *, lead: float = 0.0, spread: float = 1.5
) -> tuple[list[str], dict[str, list[float]]]:
    """Two candidates, each good at some groups and bad at others."""
    chance = np.random.default_rng(seed)
    ability = np.repeat(chance.normal(0.0, spread, (2, GROUPS)), OF_EACH, axis=1)
    ability[0] += lead
    right = chance.random(ability.shape) < 1 / (1 + np.exp(-ability))
    groups = [f"g{i // OF_EACH}" for i in range(GROUPS * OF_EACH)]
    return groups, {name: of_one.astype(float).tolist() for name, of_one in zip("ab", right, strict=True)}


@given(values)
def test_the_clustered_error_is_that_of_millers_formula(of: list[tuple[float, int]]) -> None:
    scores, names = (np.array(part) for part in zip(*of, strict=True))
    codes = group_codes([str(name) for name in names])
    if codes is None:
        return
    off = scores - scores.mean()
    same = np.equal.outer(codes, codes)
    groups = codes.max() + 1
    expected = math.sqrt(max(0.0, float((np.outer(off, off) * same).sum())) * groups / (groups - 1)) / len(
        scores
    )
    assert standard_error(scores, codes) == pytest.approx(expected, abs=1e-7)


def test_groups_of_one_row_and_a_group_of_all_rows_are_none() -> None:
    assert group_codes(["a", "b", None]) is None
    assert group_codes(["a", "a", "a"]) is None
    codes = group_codes(["a", None, "a", None])
    assert codes is not None
    assert codes.tolist() == [0, 1, 0, 2]


def test_rows_that_are_copies_of_each_other_count_once() -> None:
    scores = np.repeat([1.0, 0.0, 1.0, 1.0, 0.0], 20)
    codes = np.repeat(np.arange(5), 20)
    assert effective_rows(scores, codes) == pytest.approx(4, rel=0.02)
    alone, clustered = share_interval(scores.tolist()), share_interval(scores.tolist(), codes)
    assert clustered[1] - clustered[0] > 3 * (alone[1] - alone[0])
    assert 0 <= clustered[0] < 0.6 < clustered[1] <= 1


def test_an_interval_by_groups_has_a_width_even_where_nothing_varies() -> None:
    codes = np.repeat(np.arange(4), 5)
    low, high = share_interval([1.0] * 20, codes)
    assert low < 0.7
    assert high == 1.0
    same = compare_paired([1.0] * 20, [1.0] * 20, groups=codes)
    assert same.ci95[0] < 0 < same.ci95[1]
    assert same.p_value == 1.0


def test_a_winner_by_chance_is_as_rare_as_promised_only_with_groups() -> None:
    wins = {True: 0, False: 0}
    for seed in range(150):
        groups, scores = correlated(seed)
        codes = group_codes(groups)
        for is_clustered in wins:
            pair = compare_paired(scores["a"], scores["b"], groups=codes if is_clustered else None)
            wins[is_clustered] += pair.p_value < 0.05
    # Of 150, alpha = 0.05 allows 7.5; three standard errors above that are 15.
    assert wins[True] <= 15
    assert wins[False] > 40


def test_a_race_by_groups_rarely_names_a_winner_among_equals() -> None:
    winners = {True: 0, False: 0}
    for seed in range(100):
        groups, scores = correlated(seed)
        for is_clustered in winners:
            race = replay(scores, seed=seed, groups=group_codes(groups) if is_clustered else None)
            winners[is_clustered] += race.verdict == "winner"
    assert winners[True] <= 11
    assert winners[False] > 20


def test_a_clear_race_by_groups_is_short_and_counts_rows() -> None:
    groups, scores = correlated(1, lead=4.0, spread=0.5)
    race = replay(scores, groups=group_codes(groups))
    assert race.winner == "a"
    assert race.share_of_full_cost < 0.7
    assert race.items_used["a"] % OF_EACH == 0
    assert race.means["a"] == pytest.approx(np.mean(scores["a"]), abs=0.1)


def test_groups_of_unlike_size_are_raced_by_the_mean_over_rows() -> None:
    codes = np.array([0, 0, 0, 1, 2, 2])
    steps = Steps(6, codes)
    assert len(steps) == 3
    assert steps.scores([1.0, 0.0, 1.0, 1.0], first=0) == pytest.approx([2 / 3, 1 / 3])
    assert steps.scores([1.0, 1.0], first=2) == pytest.approx([2 / 3])
    assert steps.rows(2) == 4
    assert steps.mean_of_rows(5 / 9, 3) == pytest.approx(5 / 6)
    assert steps.delta(0.1) == pytest.approx(0.1 * 6 / 9)


def test_too_few_groups_say_how_many_more_would_settle_it() -> None:
    groups, scores = correlated(3, lead=0.2)
    answers = {
        name: [
            ItemScore(row=str(i), score=s, group=g) for i, (s, g) in enumerate(zip(of, groups, strict=True))
        ]
        for name, of in scores.items()
    }
    said = conclude(Comparison(answers, Measure(name="score", unit="frac")), delta_frac=0.01)
    assert said["verdict"] == "insufficient"
    assert said["more_groups_needed"] == math.ceil(said["more_rows_needed"] / OF_EACH)
    assert "clustered by 40 groups" in said["comparisons"][0]["method"]
