"""Intervals, tests and verdicts of paired comparisons."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.paired import (
    PairedComparison,
    agresti_min,
    compare_all,
    compare_paired,
    holm,
    mcnemar_exact,
    verdict,
    wilson,
)

binary_pairs = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=60)
real_pairs = st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=2, max_size=30)


def comparison(low: float, high: float, p_value: float = 0.5) -> PairedComparison:
    return PairedComparison(
        difference=(low + high) / 2, ci95=(low, high), p_value=p_value, method="", n=100, a_only=0, b_only=0
    )


def test_wilson_gives_the_published_values() -> None:
    # Newcombe (1998), table I: 81 of 263, and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_proportion_and_always_has_a_width(of: tuple[int, int]) -> None:
    successes, n = of
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert low < high


def test_wilson_refuses_more_successes_than_rows() -> None:
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson(3, 2)


def test_mcnemar_gives_the_binomial_value() -> None:
    assert mcnemar_exact(1, 9) == pytest.approx(2 * 11 / 1024)
    assert mcnemar_exact(0, 0) == 1.0


def test_mcnemar_bears_thousands_of_discordant_rows() -> None:
    assert mcnemar_exact(3000, 3000) == pytest.approx(1.0)
    assert mcnemar_exact(1000, 3000) < 1e-200


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_a_probability_and_does_not_care_who_is_first(a_only: int, b_only: int) -> None:
    assert mcnemar_exact(a_only, b_only) == mcnemar_exact(b_only, a_only)
    assert 0 <= mcnemar_exact(a_only, b_only) <= 1


def test_agresti_min_has_a_width_even_when_two_candidates_never_disagree() -> None:
    low, high = agresti_min(0, 0, 50)
    assert low < 0 < high


@given(binary_pairs)
def test_right_or_wrong_scores_are_compared_by_their_discordant_rows(pairs: list[tuple[int, int]]) -> None:
    a, b = zip(*pairs, strict=True)
    result = compare_paired(a, b)
    assert result.method.startswith("exact McNemar")
    assert result.difference == pytest.approx((result.a_only - result.b_only) / len(pairs))
    assert result.ci95[0] < result.ci95[1]


@given(real_pairs)
def test_swapping_two_candidates_mirrors_the_comparison(pairs: list[tuple[float, float]]) -> None:
    a, b = zip(*pairs, strict=True)
    forth, back = compare_paired(a, b), compare_paired(b, a)
    assert forth.difference == pytest.approx(-back.difference)
    assert forth.ci95 == pytest.approx((-back.ci95[1], -back.ci95[0]))
    assert forth.p_value == pytest.approx(back.p_value, abs=0.05)


def test_real_valued_scores_get_students_interval() -> None:
    # Differences 1, 2, 3, 4: mean 2.5, standard error 0.6455, t(3) = 3.1824.
    result = compare_paired([1.5, 2.5, 3.5, 4.5], [0.5] * 4)
    assert result.difference == 2.5
    assert result.ci95 == pytest.approx((2.5 - 2.0542, 2.5 + 2.0542), abs=2e-2)
    assert result.p_value == 2 / 2**4


@pytest.mark.parametrize(("degrees", "quantile"), [(1, 12.706), (2, 4.303), (5, 2.571), (30, 2.042)])
def test_the_interval_uses_the_tabled_quantile(degrees: int, quantile: float) -> None:
    differences = [float(i) + 0.25 for i in range(degrees + 1)]
    low, high = compare_paired(differences, [0.0] * len(differences)).ci95
    mean = sum(differences) / len(differences)
    error = math.sqrt(sum((d - mean) ** 2 for d in differences) / (degrees * (degrees + 1)))
    assert (high - low) / 2 / error == pytest.approx(quantile, rel=5e-3)


def test_a_large_sample_of_real_scores_is_tested_by_seeded_sign_flips() -> None:
    better, worse = [0.5 + i / 100 for i in range(40)], [0.1] * 40
    first, again = compare_paired(better, worse, seed=3), compare_paired(better, worse, seed=3)
    assert first == again
    assert first.p_value < 0.001


def test_scores_of_different_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="got 3 and 2"):
        compare_paired([1, 0, 1], [1, 0])


def test_holm_gives_the_textbook_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(0 <= raw <= new <= 1 for raw, new in zip(p_values, adjusted, strict=True))
    by_raw = [new for _, new in sorted(zip(p_values, adjusted, strict=True))]
    assert by_raw == sorted(by_raw)


def test_every_pair_is_compared_with_the_better_one_first() -> None:
    scores = {"low": [0, 0, 0, 1], "high": [1, 1, 1, 1], "middle": [0, 0, 1, 1]}
    pairs = compare_all(scores)
    assert list(pairs) == [("high", "middle"), ("high", "low"), ("middle", "low")]
    assert all("Holm over 3" in pair.method for pair in pairs.values())


def test_the_leader_wins_when_it_is_surely_better_than_all_others() -> None:
    others = [comparison(0.02, 0.2, p_value=0.01), comparison(0.1, 0.3, p_value=0.001)]
    assert verdict(others, delta=0.05) == "winner"


def test_close_candidates_are_indistinguishable_when_the_whole_interval_is_small() -> None:
    others = [comparison(-0.02, 0.04), comparison(0.1, 0.3, p_value=0.001)]
    assert verdict(others, delta=0.05) == "indistinguishable"


@pytest.mark.parametrize("others", [[comparison(-0.1, 0.3)], [comparison(0.001, 0.3, p_value=0.2)], []])
def test_a_wide_interval_or_nothing_to_compare_with_is_insufficient(others: list[PairedComparison]) -> None:
    assert verdict(others, delta=0.05) == "insufficient"
