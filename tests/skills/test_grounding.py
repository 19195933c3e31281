"""What a chat model says is posted only as far as the evidence goes: scripted truths and lies, in both languages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from skills.conversation.language import language_of
from skills.grounding import Report, check, checked
from skills.grounding.evidence import models_in
from skills.grounding.prose import divided
from skills.grounding.quantities import is_same, quantities
from skills.grounding.sentences import cut, sentences
from skills.grounding.terms import content, share
from tests.skills.worded_answers import answer_about, evidence_about, scripted

SCRIPTS = scripted()
BATCHES = ("scripted", "fresh_seen", "fresh_unseen")
ALL_BATCHES = (*BATCHES, "fresh_third")
"""The third was written to get past the check, its truths with sums of their own: of those nothing is promised."""
ENOUGH = 0.9
MOST_OF_IT = 0.5


def said(script: dict) -> list[tuple[bool, str]]:
    return [(kind == "T", text.strip()) for item in script["say"] for kind, text in item.items()]


def text_of(script: dict) -> str:
    return " ".join(text for _, text in said(script))


def reports(batch: str) -> Iterator[tuple[dict, Report]]:
    for script in scripted(batch):
        yield script, check(text_of(script), evidence_about(script["about"]))


@pytest.mark.parametrize("batch", ALL_BATCHES)
def test_no_lie_is_ever_posted(batch: str) -> None:
    posted = [
        (script["about"], text)
        for script, report in reports(batch)
        for is_true, text in said(script)
        if not is_true and text in report.text
    ]
    assert posted == []


@pytest.mark.parametrize("batch", BATCHES)
def test_what_nine_true_sentences_in_ten_say_is_posted(batch: str) -> None:
    """As it was worded, or by the sentence or the row of the answer that says it."""
    lost, total = [], 0
    for script, report in reports(batch):
        message = report.text + "\n\n" + divided(answer_about(script["about"]))[1]
        true = [text for is_true, text in said(script) if is_true]
        total += len(true)
        lost += [
            text for text in true if text not in report.text and not says(message, text, script["about"])
        ]
    assert len(lost) <= (1 - ENOUGH) * total, lost


def says(message: str, sentence: str, about: str) -> bool:
    """The message has the models and the numbers of the sentence, and, in its language, most of what it speaks of."""
    names = evidence_about(about).names
    if not models_in(sentence, names) <= models_in(message, names):
        return False
    known = quantities(message)
    if not all(any(is_same(q, k) for k in known) for q in quantities(sentence) if not q.is_count):
        return False
    words = content(sentence)
    is_translated = language_of(sentence) != answer_about(about).language
    return is_translated or not words or share(words, content(message)) >= MOST_OF_IT


def test_much_stands_as_it_was_worded() -> None:
    kept = [
        text in "".join(report.kept)
        for script, report in reports("scripted")
        for is_true, text in said(script)
        if is_true
    ]
    assert sum(kept) / len(kept) >= 0.5


def test_there_are_enough_answers_of_both_kinds_and_languages() -> None:
    everything = [pair for script in SCRIPTS for pair in said(script)]
    assert len(SCRIPTS) >= 60
    assert sum(not is_true for is_true, _ in everything) >= 60
    assert sum(script["about"].endswith("_zh") for script in SCRIPTS) >= 15


@pytest.mark.parametrize(
    "claim",
    [
        "A tokenizer changes a fine-tune [1].",
        "Perplexity compares fairly [1].",
        "Perplexity can be compared between models with different tokenizers [1].",
        "A better model shows a higher perplexity [1].",
        "Quantized copies have a different tokenizer [1].",
    ],
)
def test_a_claim_in_the_words_of_a_source_gives_way_to_its_sentence(claim: str) -> None:
    report = check(claim, evidence_about("knowledge_en"))
    assert claim not in report.text
    assert all(
        unit in answer_about("knowledge_en").citations[0].quote for unit in [report.text.removesuffix(" [1]")]
    )


@pytest.mark.parametrize(
    "name", ["recommend_en", "compare_en", "compare_zh", "knowledge_en", "knowledge_zh", "facts_en"]
)
def test_the_answer_without_the_model_stands_as_it_is(name: str) -> None:
    answer = answer_about(name)
    blocks = [b for b in answer.text.split("\n\n") if not b.startswith(("|", "["))]
    report = check("\n\n".join(blocks), evidence_about(name))
    assert report.share_posted >= ENOUGH, [(item.reason, item.text) for item in report.removed]


def test_a_stream_is_checked_as_the_whole_text_is() -> None:
    for script in SCRIPTS:
        text, evidence = text_of(script), evidence_about(script["about"])
        streamed = tuple(checked((text[i : i + 3] for i in range(0, len(text), 3)), evidence))
        assert streamed == check(text, evidence).sentences


def test_a_sentence_that_leans_on_a_removed_one_goes_with_it() -> None:
    report = check("Falcon-X is a fine model. It is the best choice.", evidence_about("recommend_en"))
    assert report.text == ""
    assert report.removed[1].reason == "leans on a removed sentence"


@pytest.mark.parametrize(
    ("claim", "known", "is_supported"),
    [
        ("16 GiB", "16.4 GiB", True),
        ("17.6 GB", "16.4 GiB", True),
        ("16.4 GB", "16.4 GiB", False),
        ("128k tokens", "131072 tokens", True),
        ("128k tokens", "128,000 tokens", True),
        ("4.1万 token", "40,960 tokens", True),
        ("百分之八十六", "86%", True),
        ("86%", "0.86", True),
        ("70亿参数", "7B", True),
        ("$0.04", "$0.043 per million tokens", True),
        ("$0.043 per thousand tokens", "$0.043 per million tokens", False),
        ("2026年8月", "2026-08-15", True),
        ("August 2025", "2026-08-15", False),
        ("约在九万词元", "47000 词元", False),
        ("2 GiB", "2.4 GiB", False),
    ],
)
def test_units_and_rounding_are_understood(claim: str, known: str, is_supported: bool) -> None:
    assert is_same(quantities(claim)[0], quantities(known)[0]) is is_supported


def test_sentences_joined_are_the_text() -> None:
    text = "It is e.g. a mean. It is 7.4 [1]. Next! [2]\n\n- an item. whole\n- another\n\n中文句子。[1] 第二句！| a |"
    assert "".join(sentences(text)) == text
    assert list(cut(iter(text))) == sentences(text)
    assert "- an item. whole\n" in sentences(text)
