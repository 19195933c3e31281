"""The front of cost and quality, and a picture of it that can be opened."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from skills.ranking.pareto import front, picture
from skills.ranking.rank import rank
from tests.skills.ranking.builders import option

pairs = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), min_size=1, max_size=15)


@given(pairs)
def test_nothing_on_the_front_is_beaten_and_all_else_is(values: list[tuple[int, int]]) -> None:
    options = [option(f"m{n}", cost=cost, loss=loss / 20) for n, (cost, loss) in enumerate(values)]
    edge = front(options)
    for member in edge:
        assert not any(
            other.cost.value <= member.cost.value and other.loss.value < member.loss.value
            for other in options
        )
    for other in options:
        assert any(m.cost.value <= other.cost.value and m.loss.value <= other.loss.value for m in edge)


def test_the_picture_is_a_png_even_of_one_model_or_of_equal_ones() -> None:
    for options in (
        [option("org/only", cost=0.1, loss=0.3)],
        [option(f"org/m{n}", cost=0.1, loss=0.3) for n in range(5)],
        [option(f"org/a-rather-long-name-{n}", cost=0.1 * 2**n, loss=0.6 / (n + 1)) for n in range(20)],
    ):
        image = Image.open(io.BytesIO(picture(rank(options, 3.0), options)))
        assert image.format == "PNG"
        assert image.size == (1350, 810)
