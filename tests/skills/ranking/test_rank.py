"""The rule M* = argmin cost + alpha * loss, its chances and its frontier."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skills.ranking.rank import Option, frontier, rank
from tests.skills.ranking.builders import option

CHEAP_AND_WORSE = {"cost": 2000.0, "loss": 0.20}
DEAR_AND_BETTER = {"cost": 4000.0, "loss": 0.10}

lines = st.lists(
    st.tuples(st.floats(0, 50).map(lambda x: round(x, 3)), st.floats(0, 1).map(lambda x: round(x, 3))),
    min_size=1,
    max_size=12,
    unique=True,
)


def options_of(pairs: list[tuple[float, float]]) -> list[Option]:
    return [option(f"org/m{i}", cost=cost, loss=loss) for i, (cost, loss) in enumerate(pairs)]


def first(alpha: float) -> str:
    ranked = rank([option("cheap", **CHEAP_AND_WORSE), option("dear", **DEAR_AND_BETTER)], alpha)
    return ranked[0].option.model.id


def test_below_two_hundred_dollars_a_point_the_cheaper_model_wins() -> None:
    assert first(alpha=199.0 * 100) == "cheap"


def test_above_two_hundred_dollars_a_point_the_better_model_wins() -> None:
    assert first(alpha=201.0 * 100) == "dear"


def test_the_frontier_flips_at_two_hundred_dollars_a_point() -> None:
    pieces = frontier([option("cheap", **CHEAP_AND_WORSE), option("dear", **DEAR_AND_BETTER)])
    assert [piece.option.model.id for piece in pieces] == ["cheap", "dear"]
    assert pieces[0].alpha_to == pytest.approx(200.0 * 100)
    assert pieces[1].alpha_to is None


def test_each_model_appears_once_in_its_best_way_of_running() -> None:
    slow = option("org/m", cost=2.0, loss=0.3, quantization="none")
    small = option("org/m", cost=1.0, loss=0.3, quantization="nf4")
    assert [item.option.quantization for item in rank([slow, small], alpha=1.0)] == ["nf4"]


def test_chances_sum_to_one_and_favour_the_clear_winner() -> None:
    ranked = rank([option("a", cost=1, loss=0.1, se=0.02), option("b", cost=1, loss=0.5, se=0.02)], alpha=10)
    assert sum(item.p_best for item in ranked) == pytest.approx(1.0)
    assert ranked[0].p_best > 0.99


def test_no_options_give_no_ranking_and_no_frontier() -> None:
    assert rank([], alpha=1.0) == []
    assert frontier([]) == []


@given(lines, st.floats(0, 100), st.floats(0, 100))
def test_larger_alpha_never_picks_a_worse_quality(
    pairs: list[tuple[float, float]], one: float, other: float
) -> None:
    options = options_of(pairs)
    low, high = sorted((one, other))
    assert rank(options, high)[0].option.loss.value <= rank(options, low)[0].option.loss.value + 1e-9


@given(lines, st.floats(0, 200))
def test_the_frontier_names_the_winner_at_every_alpha(pairs: list[tuple[float, float]], alpha: float) -> None:
    options = options_of(pairs)
    piece = next(
        piece
        for piece in frontier(options)
        if piece.alpha_from <= alpha and (piece.alpha_to is None or alpha <= piece.alpha_to)
    )
    best = min(item.score(alpha) for item in options)
    assert piece.option.score(alpha) == pytest.approx(best, abs=1e-6)


@given(lines, st.floats(0.1, 50), st.floats(0, 5))
def test_a_lower_price_never_worsens_a_rank(
    pairs: list[tuple[float, float]], alpha: float, discount: float
) -> None:
    options = options_of(pairs)
    cost, loss = pairs[0]
    cheaper = [option("org/m0", cost=max(0.0, cost - discount), loss=loss), *options[1:]]

    def place(of: list[Option]) -> int:
        return [item.option.model.id for item in rank(of, alpha)].index("org/m0")

    assert place(cheaper) <= place(options)
