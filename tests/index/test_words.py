"""Words: what counts as the same word in two languages, and which passages share them."""

from __future__ import annotations

import pytest

from index.words import WordIndex, tokens

TEXTS = [
    "Quantized models need less memory.",
    "模型的许可证允许商用",
    "A licence may forbid commercial use.",
    "量化之后显存占用更少",
]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Models", "model"),
        ("quantizing", "quantized"),
        ("licences", "licence"),
        ("batches", "batch"),
        ("QLoRA", "qlora"),
        ("ＧＰＵ", "gpu"),
        ("training", "trained"),
    ],
)
def test_forms_of_a_word_are_one_word(one: str, other: str) -> None:
    assert tokens(one) == tokens(other)


@pytest.mark.parametrize(("one", "other"), [("int8", "int4"), ("bus", "bu"), ("loss", "los"), ("nf4", "fp4")])
def test_different_words_stay_different(one: str, other: str) -> None:
    assert tokens(one) != tokens(other)


def test_words_that_carry_no_meaning_are_left_out() -> None:
    assert tokens("what is the memory of a model") == tokens("memory model")
    assert tokens("什么是困惑度") == tokens("困惑度")


def test_chinese_is_known_by_character_and_by_pair() -> None:
    assert set(tokens("困惑度")) == {"困", "惑", "度", "困惑", "惑度"}


def test_mixed_text_gives_words_of_both_languages() -> None:
    assert {"lora", "显存"} <= set(tokens("LoRA微调要多少显存？"))


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("memory of a quantized model", 0),
        ("许可证能商用吗", 1),
        ("commercial licences", 2),
        ("量化能省多少显存", 3),
    ],
)
def test_the_row_that_shares_rare_words_comes_first(query: str, row: int) -> None:
    assert WordIndex(TEXTS).search(query, 2)[0][0] == row


def test_a_row_without_a_shared_word_scores_nothing() -> None:
    assert dict(WordIndex(TEXTS).search("licences", 4))[0] == 0


@pytest.mark.parametrize("query", ["", "???", "zebra", "斑马"])
def test_a_query_of_unknown_words_scores_nothing(query: str) -> None:
    assert {score for _, score in WordIndex(TEXTS).search(query, 4)} == {0.0}


@pytest.mark.parametrize("texts", [[], [""], ["!", "?"]])
def test_an_index_without_words_finds_nothing(texts: list[str]) -> None:
    assert all(score == 0 for _, score in WordIndex(texts).search("memory", 3))


def test_coverage_counts_rare_words_for_more() -> None:
    index = WordIndex(["the model runs", "the model waits", "the model learns quickly"])
    assert index.coverage_frac("model quickly", "quickly") > index.coverage_frac("model quickly", "model")
    assert index.coverage_frac("model quickly", "a model, quickly") == pytest.approx(1)
    assert index.coverage_frac("zebra", "model") == 0
