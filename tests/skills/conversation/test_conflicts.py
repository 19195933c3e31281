"""Contradictions are named with both sides and what was assumed, in both languages."""

from __future__ import annotations

import pytest

from skills.conversation.answer import Answer
from skills.conversation.request import Request
from tests.skills.conversation.test_understand import say, thread


def lines(request: Request) -> list[str]:
    """What the person reads before the answer itself."""
    return Answer.to(request, "the answer").text.split("\n\n")[0].splitlines()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "coding model under 3B, at least 70B",
            "“under 3B” and “at least 70B” contradict each other: I assumed “at least 70B”. "
            "Tell me if you meant the other.",
        ),
        (
            "写代码，小于70亿参数，至少140亿",
            "“小于70亿参数”与“至少140亿”互相矛盾：我按“至少140亿”处理。如果不是，请告诉我。",
        ),
        (
            "must run on our laptop, API only, summarization",
            "“laptop” and “API only” contradict each other: I assumed “laptop”. Tell me if you meant the other.",
        ),
        (
            "必须本地部署，只用API，做翻译",
            "“必须本地部署”与“只用API”互相矛盾：我按“必须本地部署”处理。如果不是，请告诉我。",
        ),
        (
            "fully on-premises chat with GPT-5 mini",
            "“on-premises” and “GPT-5 mini” contradict each other: I assumed “on-premises”. "
            "Tell me if you meant the other.",
        ),
        (
            "summarise emails, no GPU, on an A100",
            "“no GPU” and “A100” contradict each other: I assumed “A100”. Tell me if you meant the other.",
        ),
        (
            "Apache only, Llama licence is fine, chat",
            "“Apache only” and “Llama licence is fine” do not go together: I assumed that both will do.",
        ),
        (
            "nothing over 7B, nothing under 13B, chat",
            "“nothing over 7B” and “nothing under 13B” contradict each other: I assumed “nothing under 13B”. "
            "Tell me if you meant the other.",
        ),
        (
            "at most 8 GB of VRAM, at least 24 GB, chat",
            "“at most 8 GB” and “at least 24 GB” contradict each other: I assumed “at least 24 GB”. "
            "Tell me if you meant the other.",
        ),
        ("只要Apache，Llama协议也行，聊天", "“只要Apache”与“Llama协议也行”互相矛盾：我按两者都可以处理。"),
    ],
)
def test_a_contradiction_is_named_with_both_sides_and_the_assumption(text: str, line: str) -> None:
    assert lines(say(text)) == [line]


def test_what_was_assumed_is_what_is_ranked() -> None:
    sizes = say("coding model under 3B, at least 70B").requirements
    assert (sizes.min_params_b, sizes.max_params_b) == (70, None)
    assert say("must be self-hosted, API only, chat").requirements.hosting == "self"
    assert say("fully on-premises chat with GPT-5 mini").requirements.candidates is None


def test_a_closed_model_contradicts_what_the_thread_said_before() -> None:
    request = say("use GPT-5 mini then", thread("summaries"))
    assert request.requirements.hosting == "self"
    assert lines(request) == [
        "open weights, on your own hardware (said before) and “GPT-5 mini” contradict each other: "
        "I assumed open weights, on your own hardware (said before). Tell me if you meant the other."
    ]


def test_several_contradictions_get_a_line_each() -> None:
    assert len(lines(say("chat, under 3B, at least 70B, no GPU, on an A100"))) == 2


@pytest.mark.parametrize(
    "text",
    [
        "chat model, self-hosted or API",
        "本地跑或者 API 都行，聊天",
        "a model between 3B and 70B for code",
        "Apache or MIT only, summarization",
        "只要 Apache、MIT，摘要",
        "CPU or a T4, classification",
        "laptop with a 4070, chat",
        "an alternative to GPT-5 mini that we can self-host",
        "at least 7B and at most 16 GB, chat",
        "what is the difference between under 3B and over 70B models?",
    ],
)
def test_alternatives_and_ranges_are_no_contradictions(text: str) -> None:
    assert say(text).conflicts == ()


def test_a_changed_mind_in_a_later_turn_is_no_contradiction() -> None:
    assert say("actually 70B or more", thread("invoices")).conflicts == ()
    assert say("API only", thread("summaries")).conflicts == ()


def test_an_answer_without_contradictions_is_as_it_was() -> None:
    assert Answer.to(say("chat on a T4"), "the answer").text == "the answer"
