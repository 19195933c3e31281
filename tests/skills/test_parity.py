"""The same request in English and in Chinese gets the same answer, with the whole catalogue behind it."""

from __future__ import annotations

import pytest

from skills.conversation.answer import Answer
from tests.skills.conftest import Ask
from tests.skills.conversation.test_understand import TURNS


def ranking(answer: Answer) -> list[tuple[str, str | None, float]]:
    return [(item.model, item.quantization, item.score) for item in answer.recommendations]


@pytest.mark.parametrize(("english", "chinese"), TURNS["parity"])
def test_both_languages_get_the_same_requirements_and_the_same_ranking(
    ask: Ask, english: str, chinese: str
) -> None:
    first, second = ask(english, "en"), ask(chinese, "zh")
    assert (first.language, second.language) == ("en", "zh")
    assert first.skill == second.skill
    assert first.requirements == second.requirements
    assert ranking(first) == ranking(second)
