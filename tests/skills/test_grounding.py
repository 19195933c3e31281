"""What a chat model says is posted only as far as the evidence goes: scripted truths and lies, in both languages."""

from __future__ import annotations

import pytest

from skills.grounding import check, checked
from skills.grounding.quantities import is_same, quantities
from skills.grounding.sentences import cut, sentences
from tests.skills.worded_answers import answer_about, evidence_about, scripted

SCRIPTS = scripted()
ENOUGH = 0.9


def said(script: dict) -> list[tuple[bool, str]]:
    return [(kind == "T", text) for item in script["say"] for kind, text in item.items()]


def text_of(script: dict) -> str:
    return " ".join(text for _, text in said(script))


@pytest.mark.parametrize("script", SCRIPTS, ids=[f"{n}-{s['about']}" for n, s in enumerate(SCRIPTS)])
def test_no_lie_is_kept(script: dict) -> None:
    kept = check(text_of(script), evidence_about(script["about"])).text
    assert [text for is_true, text in said(script) if not is_true and text.strip() in kept] == []


def test_at_least_nine_true_sentences_in_ten_are_kept() -> None:
    kept = total = 0
    for script in SCRIPTS:
        text = check(text_of(script), evidence_about(script["about"])).text
        true = [sentence for is_true, sentence in said(script) if is_true]
        kept += sum(sentence.strip() in text for sentence in true)
        total += len(true)
    assert kept / total >= ENOUGH


def test_there_are_enough_answers_of_both_kinds_and_languages() -> None:
    everything = [pair for script in SCRIPTS for pair in said(script)]
    assert len(SCRIPTS) >= 60
    assert sum(not is_true for is_true, _ in everything) >= 60
    assert sum(script["about"].endswith("_zh") for script in SCRIPTS) >= 15


def counted(name: str) -> tuple[float, float]:
    """Shares of the true sentences that are kept, and of the lies that get through."""
    kept: dict[bool, list[bool]] = {True: [], False: []}
    for script in scripted(name):
        text = check(text_of(script), evidence_about(script["about"])).text
        for is_true, sentence in said(script):
            kept[is_true].append(sentence.strip() in text)
    return sum(kept[True]) / len(kept[True]), sum(kept[False]) / len(kept[False])


@pytest.mark.parametrize(("name", "least", "most"), [("fresh_seen", 0.9, 0.05), ("fresh_unseen", 0.69, 0.2)])
def test_fresh_answers_fare_no_worse_than_they_did(name: str, least: float, most: float) -> None:
    true_kept, lies_kept = counted(name)
    assert true_kept >= least
    assert lies_kept <= most


@pytest.mark.xfail(reason="lies in the words of the evidence still get through on fresh answers", strict=True)
@pytest.mark.parametrize("name", ["fresh_seen", "fresh_unseen"])
def test_no_lie_is_kept_in_fresh_answers(name: str) -> None:
    assert counted(name)[1] == 0


@pytest.mark.parametrize(
    "name", ["recommend_en", "compare_en", "compare_zh", "knowledge_en", "knowledge_zh", "facts_en"]
)
def test_the_answer_without_the_model_stands_as_it_is(name: str) -> None:
    answer = answer_about(name)
    blocks = [b for b in answer.text.split("\n\n") if not b.startswith(("|", "["))]
    report = check("\n\n".join(blocks), evidence_about(name))
    assert report.share_kept >= ENOUGH, [(item.reason, item.text) for item in report.removed]


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


@pytest.mark.xfail(
    reason="a false claim made of the words of one source, without number, name or opposite", strict=True
)
def test_a_new_claim_in_the_words_of_the_source_is_seen() -> None:
    says = "Quantized copies have a different tokenizer [1]."
    assert check(says, evidence_about("knowledge_en")).text == ""
