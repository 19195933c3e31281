"""Words: what counts as the same word in two languages, and which passages share them."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.words import WordIndex, simplified, tokens, weights_of

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
    assert next(iter(search(TEXTS, query))) == row


def search(texts: list[str], query: str) -> dict[int, float]:
    index = WordIndex(None)
    index.update(dict(enumerate(texts)))
    return index.search(weights_of(query), 10)


def test_a_row_without_a_shared_word_is_left_out() -> None:
    assert set(search(TEXTS, "licences")) == {2}


@pytest.mark.parametrize("query", ["", "???", "zebra", "斑马"])
def test_a_query_of_unknown_words_finds_nothing(query: str) -> None:
    assert search(TEXTS, query) == {}


@pytest.mark.parametrize("texts", [[], [""], ["!", "?"]])
def test_an_index_without_words_finds_nothing(texts: list[str]) -> None:
    assert search(texts, "memory") == {}


def test_a_mistyped_word_finds_what_was_meant() -> None:
    assert set(search(TEXTS, "comercial")) == {2}


def test_a_row_that_has_gone_is_not_found(tmp_path: Path) -> None:
    index = WordIndex(tmp_path / "words")
    index.update(dict(enumerate(TEXTS)))
    index.update({}, gone=[2])
    assert index.search(weights_of("licences"), 10) == {}


def test_rows_that_are_added_again_are_there_once(tmp_path: Path) -> None:
    index = WordIndex(tmp_path / "words")
    index.update({3: "quantized models"})
    index.update({3: "quantized models"})
    assert list(index.search(weights_of("models"), 10)) == [3]


def test_another_process_goes_on_where_one_stopped(tmp_path: Path) -> None:
    WordIndex(tmp_path / "words").update({7: "quantized models"})
    index = WordIndex(tmp_path / "words")
    assert index.last_row == 7
    assert list(index.search(weights_of("models"), 10)) == [7]


def test_a_damaged_folder_is_an_empty_index(tmp_path: Path) -> None:
    WordIndex(tmp_path / "words").update({7: "quantized models"})
    (tmp_path / "words" / "meta.json").write_text("{")
    index = WordIndex(tmp_path / "words")
    assert index.last_row == 0
    assert index.search(weights_of("models"), 10) == {}


def test_a_query_is_widened_by_what_its_answers_say() -> None:
    index = WordIndex(None)
    index.update({1: "a kettle boils water", 2: "boiling water for tea", 3: "tea and milk"})
    weights = index.widened("kettle", ["a kettle boils water"])
    assert weights.keys() >= {"kettl", "boil", "water"}
    assert weights["kettl"] == max(weights.values())
    assert sum(weights.values()) == pytest.approx(1)


def test_coverage_counts_rare_words_for_more() -> None:
    index = WordIndex(None)
    index.update({0: "the model runs", 1: "the model waits", 2: "the model learns quickly"})
    assert index.coverage_frac("model quickly", "quickly") > index.coverage_frac("model quickly", "model")
    assert index.coverage_frac("model quickly", "a model, quickly") == pytest.approx(1)
    assert index.coverage_frac("zebra", "model") == 0


@pytest.mark.parametrize(
    ("traditional", "expected"),
    [
        ("訓練資料的偏見", "训练数据的偏见"),
        ("軟體與顯示卡", "软件与显卡"),
        ("plain", "plain"),
        ("简体资料", "简体资料"),
    ],
)
def test_traditional_characters_are_read_as_simplified(traditional: str, expected: str) -> None:
    assert simplified(traditional) == expected
