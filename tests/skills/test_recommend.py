"""Recommendations: constraints hold, evidence is named, both languages agree, follow-ups refine."""

from __future__ import annotations

import pytest

from index import measurements
from index.errors import UnknownModel
from skills.conversation.answer import Answer
from skills.desk import Desk
from tests.skills.conftest import Ask
from tests.skills.ranking.builders import measurement

ENGLISH = (
    "Which open model for Chinese customer-support summarisation on a single 24 GB GPU? Apache or MIT only."
)
CHINESE = "中文客服摘要用哪个开源模型？单张 24GB 显卡，只要 Apache 或 MIT 许可证。"
SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"
CLASSIFY = "Which model should classify our support tickets? Self-hosted, under 0.5B parameters."


def ranking(answer: Answer) -> list[tuple[str, str | None, float]]:
    return [(item.model, item.quantization, item.score) for item in answer.recommendations]


def test_every_recommendation_meets_every_constraint(ask: Ask, desk: Desk) -> None:
    answer = ask(ENGLISH)
    assert len(answer.recommendations) >= 3
    for item in answer.recommendations:
        fact = desk.catalogue.models[item.model]
        assert fact.open_weights
        assert fact.licence in {"Apache-2.0", "MIT"}
        assert not fact.languages or "zh" in fact.languages
        assert item.vram_gib is not None
        assert item.vram_gib < 24


def test_every_recommendation_has_evidence_with_a_source(ask: Ask) -> None:
    for item in ask(ENGLISH).recommendations:
        assert item.evidence
        assert all(line.source for line in item.evidence)


def test_every_exclusion_names_its_constraint_and_reason(ask: Ask) -> None:
    excluded = {item.model: item for item in ask(ENGLISH).excluded}
    assert excluded["google/gemma-3-27b-it"].constraint == "licences"
    assert "Gemma" in excluded["google/gemma-3-27b-it"].reason
    assert excluded["Qwen/Qwen3-235B-A22B"].constraint == "max_memory_gib"


def test_the_same_question_in_chinese_gives_the_same_ranking(ask: Ask) -> None:
    english, chinese = ask(ENGLISH, "en"), ask(CHINESE, "zh")
    assert english.requirements == chinese.requirements
    assert ranking(english) == ranking(chinese)
    assert (english.language, chinese.language) == ("en", "zh")


def test_follow_up_keeps_everything_but_the_memory(ask: Ask) -> None:
    first = ask(ENGLISH)
    second = ask("如果只有 16GB 呢？")
    assert second.language == "zh"
    assert second.requirements.max_memory_gib == 16
    assert second.requirements.licences == first.requirements.licences
    assert all(item.vram_gib is not None and item.vram_gib < 16 for item in second.recommendations)
    assert "Qwen3.8-27B" in second.text.split("\n\n")[0]


def test_threads_do_not_share_requirements(ask: Ask) -> None:
    ask(ENGLISH, "one")
    assert ask("Which model for code?", "two").requirements.licences is None


def test_larger_alpha_never_recommends_a_worse_model(ask: Ask) -> None:
    cheap = ask(ENGLISH + " Cheapest.", "a").recommendations[0]
    good = ask(ENGLISH + " Best quality.", "b").recommendations[0]
    assert good.loss.value <= cheap.loss.value


def test_the_frontier_covers_every_alpha_without_gaps(ask: Ask) -> None:
    pieces = ask(ENGLISH).frontier
    assert pieces[0].alpha_from == 0
    assert pieces[-1].alpha_to is None
    assert [piece.alpha_to for piece in pieces[:-1]] == [piece.alpha_from for piece in pieces[1:]]


def test_what_was_measured_here_leads_and_is_named_above_published_figures(ask: Ask, desk: Desk) -> None:
    before = ask(CLASSIFY, "before")
    assert before.recommendations[0].model != SMOL
    tuned = measurement(SMOL, 0.83, adapter="job-2", job_id="2")
    measurements.record(desk.engine, [measurement(SMOL, 0.21), tuned])
    after = ask(CLASSIFY, "after")
    first = after.recommendations[0]
    assert (first.model, first.adapter) == (SMOL, "job-2")
    assert first.evidence[0].kind == "measured"
    assert first.evidence[0].source == "job 2"
    assert "Measured here: 0.83" in after.text


def test_no_model_left_says_which_constraint_to_relax(ask: Ask) -> None:
    answer = ask("Which model for code on a 1 GB GPU, at least 70B parameters, MIT only?")
    assert answer.recommendations == ()
    assert "No model meets all of it" in answer.text
    assert answer.excluded


def test_a_model_that_nobody_knows_is_refused_with_the_nearest_names(ask: Ask) -> None:
    with pytest.raises(UnknownModel, match="9000b"):
        ask("How much memory does Qwen3-9000B need?")


def test_hosted_models_are_left_out_of_your_own_hardware(ask: Ask, desk: Desk) -> None:
    answer = ask("Which model for code on our 4090?")
    assert all(desk.catalogue.models[item.model].open_weights for item in answer.recommendations)


def test_hosted_models_carry_their_price(ask: Ask) -> None:
    answer = ask("Which model for code through an API?")
    assert all(item.quantization is None and item.cost.value for item in answer.recommendations)


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_buttons_carry_what_they_do(ask: Ask, text: str) -> None:
    actions = {action.id: action.value for action in ask(text).actions}
    assert len(actions["evaluate"]["models"]) == 3
    assert actions["cheaper"]["say"]
