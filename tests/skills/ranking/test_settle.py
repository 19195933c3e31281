"""The evaluation that settles a close ranking: more rows for closer models, its time an estimate."""

from __future__ import annotations

from skills.ranking.rank import rank
from skills.ranking.settle import ROWS, SETTLED, settlement
from tests.skills.ranking.builders import option


def test_one_candidate_needs_no_settling() -> None:
    assert settlement(rank([option("a", cost=1, loss=0.3)], 10.0), 10.0) is None


def test_closer_beliefs_take_fewer_or_more_rows_until_settled() -> None:
    near = settlement(rank([option("a", cost=1, loss=0.30), option("b", cost=1, loss=0.31)], 10.0), 10.0)
    far = settlement(
        rank([option("a", cost=1, loss=0.10, se=0.01), option("b", cost=1, loss=0.6, se=0.01)], 10.0), 10.0
    )
    assert near is not None
    assert far is not None
    assert far.rows == ROWS[0]
    assert near.rows >= far.rows
    assert near.chance >= SETTLED or near.rows == ROWS[-1]


def test_the_first_is_always_a_contender_and_time_is_summed_over_all() -> None:
    options = [option(name, cost=1, loss=0.3 + n / 100, tokens_per_s=50.0) for n, name in enumerate("abcdef")]
    found = settlement(rank(options, 10.0), 10.0)
    assert found is not None
    assert len(found.contenders) == 3
    assert found.contenders[0].model.id == "a"
    assert found.gpu_minutes is not None
    assert found.gpu_minutes > 3


def test_hosted_models_take_no_gpu_minutes() -> None:
    found = settlement(rank([option("a", cost=1, loss=0.3), option("b", cost=1, loss=0.3)], 10.0), 10.0)
    assert found is not None
    assert found.gpu_minutes is None


def test_the_same_ranking_gives_the_same_advice() -> None:
    ranked = rank([option("a", cost=1, loss=0.3), option("b", cost=2, loss=0.25)], 10.0)
    assert settlement(ranked, 10.0) == settlement(ranked, 10.0)
