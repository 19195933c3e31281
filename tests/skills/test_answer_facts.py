"""Facts of named models: what is asked comes first and alone, with its source; what is not known is said to be so."""

from __future__ import annotations

import re

import pytest

from skills.conversation.parse.asked import fact_fields
from skills.conversation.parse.lexicon import load
from tests.skills.conftest import Ask


def first_line(text: str) -> str:
    return text.partition("\n")[0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("what is the context length of Qwen3-8B", "Qwen3-8B reads up to 40,960 tokens [1][2]."),
        ("Qwen3-8B 的上下文有多长", "Qwen3-8B 最多可读 40,960 个 token [1][2]。"),
        ("is Mistral-7B Apache licensed", "Yes: Mistral-7B-Instruct-v0.3 is under Apache-2.0 [1][2]."),
        ("is phi-4 Apache licensed", "No: phi-4 is under MIT [1][2]."),
        ("how many layers does Qwen3-8B have", "Qwen3-8B has 36 layers [1][2]."),
        ("how many KV heads does Qwen3-8B have", "Qwen3-8B has 8 KV heads [1][2]."),
        ("when was Qwen3-8B released", "Qwen3-8B was released on 2025-04-28 [1][2]."),
        ("Qwen3-8B 有多少层", "Qwen3-8B 有 36 层 [1][2]。"),
        ("can Qwen3-8B read images", "No: Qwen3-8B takes text as input [1][2]."),
        ("does Qwen3-8B support tool calling", "Qwen3-8B can call tools [1][2]."),
    ],
)
def test_a_pointed_question_gets_one_sentence_with_its_source(ask: Ask, text: str, sentence: str) -> None:
    answer = ask(text)
    assert answer.skill == "answer"
    assert first_line(answer.text) == sentence
    assert answer.text.count("\n- ") == 0
    assert answer.citations[0].source.startswith("https://")


def test_active_parameters_are_told_apart(ask: Ask) -> None:
    assert "(5.1B active per token)" in ask("how many parameters has gpt-oss-120b").text


def test_a_language_is_looked_up_and_comes_first(ask: Ask) -> None:
    line = first_line(ask("does Qwen3-8B speak Swahili").text)
    assert line.startswith("Yes: Qwen3-8B supports")
    assert ": Swahili, " in line


def test_every_language_has_a_name_in_both_languages() -> None:
    languages = load("languages")
    assert {*languages["names"]} == {*languages["phrases"]["language"]}
    assert all(
        english[0].isupper() and not chinese.isascii() for english, chinese in languages["names"].values()
    )


def test_memory_is_told_for_the_quantization_that_is_named(ask: Ask) -> None:
    line = first_line(ask("how much memory does Qwen3-8B need in 4 bits").text)
    assert "nf4" in line
    assert "int8" not in line
    assert "computed from its architecture" in line


def test_whether_a_model_fits_is_yes_or_no(ask: Ask) -> None:
    assert ask("4090 放得下 Qwen3-32B 吗").text.startswith("是：")
    assert ask("Does Llama 3.3 70B fit on a T4?").text.startswith("No: ")


def test_a_price_is_reckoned_for_the_month_that_the_question_states(ask: Ask) -> None:
    english = ask("what does gpt-4.1-mini cost for 10,000 requests a day of 2,000 tokens each?")
    chinese = ask("gpt-4.1-mini 每月 6 亿 token 要多少钱？")
    (read, written) = map(float, re.findall(r"\$([\d.]+) (?:in|out)", first_line(english.text)))
    usd = f"{600 * (0.75 * read + 0.25 * written):,.2f}"
    assert f"600,000,000 tokens a month come to ${usd}, assuming three tokens read" in first_line(
        english.text
    )
    assert f"每月 600,000,000 token 合计 {usd} 美元（假设输入输出 3:1）" in first_line(chinese.text)


def test_a_price_names_who_asks_it(ask: Ask) -> None:
    answer = ask("what does gpt-5-mini cost per million tokens")
    assert "OpenAI (list price" in first_line(answer.text)
    assert "price" in answer.citations[0].locator


def test_several_models_get_a_line_each(ask: Ask) -> None:
    text = ask("context length of Qwen3-8B and gpt-oss-20b").text
    assert "- Qwen3-8B reads up to 40,960" in text
    assert "- gpt-oss-20b reads up to 131,072" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("how many layers has gpt-5-mini", "unknown to me"),
        ("how many attention heads does Qwen3-8B have", "unknown to me"),
        ("gpt-5-mini 有多少参数", "参数量未知"),
    ],
)
def test_what_the_catalogue_does_not_hold_is_unknown(ask: Ask, text: str, said: str) -> None:
    answer = ask(text)
    assert said in answer.text
    assert answer.citations == ()


def test_a_general_question_gets_a_compact_card(ask: Ask) -> None:
    text = ask("tell me about Qwen3-8B").text.partition("\n[1]")[0]
    assert text.startswith("**Qwen/Qwen3-8B**")
    assert all(said in text for said in ("8.19B", "40,960", "Apache-2.0", "GiB", "benchmarks"))
    assert len(text.strip().splitlines()) <= 5


def test_a_score_has_its_setting_kind_and_source(ask: Ask) -> None:
    answer = ask("what does Qwen3-8B score on MMLU")
    assert "71.56 (logprobs 5-shot" in answer.text
    assert "published, 2025-08-20" in answer.text
    assert all(citation.source.startswith("https://") for citation in answer.citations)
    assert "MMLU-Pro" not in answer.text


def test_scores_of_several_models_are_a_line_each(ask: Ask) -> None:
    answer = ask("MMLU score of Qwen3-8B and gpt-oss-20b")
    assert answer.skill == "answer"
    assert "- Qwen3-8B on MMLU: " in answer.text
    assert "- gpt-oss-20b on MMLU: " in answer.text


def test_a_benchmark_without_figures_is_answered_by_those_that_have_some(ask: Ask) -> None:
    text = ask("what does gpt-5-mini score on HellaSwag").text
    assert text.startswith("I know no HellaSwag figure of gpt-5-mini; there are figures on ")
    assert "GPQA" in text or "AIME 2025" in text


def test_a_follow_up_asks_of_the_same_model(ask: Ask) -> None:
    ask("what licence does phi-4 have?")
    assert first_line(ask("and how much memory does it need?").text).startswith("phi-4 needs")


def test_every_field_is_worded_in_both_languages() -> None:
    for name, field in fact_fields().items():
        said = [
            field["unknown"],
            *([field["says"]] if "says" in field else []),
            *field.get("cases", {}).values(),
        ]
        assert all(set(sentence) == {"en", "zh"} for sentence in said), name
        assert any(not str(word).isascii() for word in field["words"]), name
