"""Hold the shipped support tickets to what their README says about them."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib.resources import files

import numpy as np
import pytest
from rapidfuzz import fuzz, process, utils

SAMPLES = files("finetune") / "samples"
LABELS = {"billing", "bug", "cancel", "feature", "howto", "login", "refund", "shipping"}
CJK = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def rows() -> list[dict[str, str]]:
    """Decode strictly: a byte that is not UTF-8 fails every test here."""
    text = (SAMPLES / "tickets.jsonl").read_bytes().decode("utf-8", errors="strict")
    return [json.loads(line) for line in text.splitlines()]


def texts(language: str) -> list[str]:
    return [row["text"] for row in rows() if row["language"] == language]


def closest_pair(language: str) -> tuple[float, str, str]:
    """The most similar two texts of a language; English by words, Chinese by characters."""
    of_language = texts(language)
    scorer = fuzz.token_set_ratio if language == "en" else fuzz.ratio
    scores = process.cdist(of_language, of_language, scorer=scorer, processor=utils.default_process)
    np.fill_diagonal(scores, 0)
    one, other = np.unravel_index(scores.argmax(), scores.shape)
    return float(scores.max()), of_language[one], of_language[other]


def test_there_are_at_least_440_tickets() -> None:
    assert len(rows()) >= 440


def test_every_ticket_has_exactly_the_four_fields() -> None:
    assert {tuple(row) for row in rows()} == {("id", "text", "label", "language")}


def test_labels_are_exactly_the_eight() -> None:
    assert {row["label"] for row in rows()} == LABELS


def test_each_label_has_at_least_25_tickets_in_each_language() -> None:
    counts = Counter((row["label"], row["language"]) for row in rows())
    assert set(counts) == {(label, language) for label in LABELS for language in ("en", "zh")}
    assert min(counts.values()) >= 25


def test_readme_states_the_counts_of_each_label() -> None:
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    counts = Counter((row["label"], row["language"]) for row in rows())
    stated = {f"| {label} | {counts[label, 'en']} | {counts[label, 'zh']} |" for label in LABELS}
    assert not {line for line in stated if line not in readme}


def test_ids_are_unique() -> None:
    ids = [row["id"] for row in rows()]
    assert len(set(ids)) == len(ids)


def test_no_text_occurs_twice() -> None:
    counts = Counter(row["text"].strip().casefold() for row in rows())
    assert not [text for text, count in counts.items() if count > 1]


@pytest.mark.parametrize(("language", "limit"), [("en", 90), ("zh", 85)])
def test_no_two_tickets_are_nearly_the_same(language: str, limit: float) -> None:
    score, one, other = closest_pair(language)
    assert score < limit, (one, other)


def test_no_text_is_longer_than_400_characters() -> None:
    assert max(len(row["text"]) for row in rows()) <= 400


def test_no_text_is_blank_or_has_outer_spaces() -> None:
    assert not [row["id"] for row in rows() if not row["text"] or row["text"] != row["text"].strip()]


def test_chinese_tickets_and_only_they_contain_chinese_characters() -> None:
    wrong = [row["id"] for row in rows() if bool(CJK.search(row["text"])) != (row["language"] == "zh")]
    assert not wrong


def test_neighbouring_tickets_mix_labels_and_languages() -> None:
    first_fifth = rows()[: len(rows()) // 5]
    assert {(row["label"], row["language"]) for row in first_fifth} >= {
        (label, language) for label in LABELS for language in ("en", "zh")
    }
