"""Typing slips in a question are mended, and what is meant as it stands is left."""

from __future__ import annotations

import pytest

from index.spelling import corrected, vocabulary_of

VOCABULARY = vocabulary_of(
    ["the model and its quantization, for customer tickets soon"] * 2 + ["a single slip"]
)


def mended(query: str) -> str:
    return corrected(query, VOCABULARY, lambda word: word == "zilbert")


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("which modle", "which model"),
        ("quantizaton of a modell", "quantization of a model"),
        ("costumer tikets", "costumer tickets"),
        ("给 tikets 用什么", "给 tickets 用什么"),
    ],
)
def test_a_slip_is_mended(query: str, meant: str) -> None:
    assert mended(query) == meant


@pytest.mark.parametrize(
    "query",
    ["the moon", "Modle", "MODLE", "zilbert", "qwen3", "model.safetensors", "x/modle", "mdl", "qqqqq", ""],
)
def test_words_names_and_paths_are_left(query: str) -> None:
    assert mended(query) == query


def test_a_word_that_was_written_once_is_no_model_to_follow() -> None:
    assert "single" not in VOCABULARY
