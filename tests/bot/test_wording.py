from __future__ import annotations

from collections.abc import Iterator
from string import Formatter
from typing import Any

import pytest

from bot import ask_wording, launch_wording, wording
from index.bilingual import Bilingual


def sentences(value: Any) -> Iterator[Bilingual]:
    if isinstance(value, Bilingual):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ():
        yield from sentences(item)


ALL = [
    pytest.param(sentence, id=f"{name}-{number}")
    for module in (wording, ask_wording, launch_wording)
    for name, value in vars(module).items()
    if name.isupper()
    for number, sentence in enumerate(sentences(value))
]


def blanks(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


@pytest.mark.parametrize("sentence", ALL)
def test_both_languages_of_a_sentence_have_the_same_blanks(sentence: Bilingual) -> None:
    assert blanks(sentence.en) == blanks(sentence.zh)


@pytest.mark.parametrize("sentence", ALL)
def test_chinese_of_a_sentence_is_not_its_english(sentence: Bilingual) -> None:
    letters = [char for char in sentence.en if char.isalpha()]

    assert not letters or sentence.zh != sentence.en or blanks(sentence.en)
