from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from bot.render.answers import answer_messages
from bot.render.cards import card, result_message
from bot.render.jobs import jobs_message
from bot.render.slack import Message, defused, fallback, split_markdown, text_message
from finetune.state import Job
from index.bilingual import Language
from skills.conversation.answer import Action, Answer, Citation
from skills.conversation.request import Requirements
from tests.slack_bot import evaluation, evaluation_result, tuning
from tests.slack_limits import message_problems

NASTY = "<!channel> <!here> <@U0BEN> <#C1> & <b> | `x` *y*"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def an_answer(text: str = "**Qwen3-8B** fits best.\n\nBecause.", **more: object) -> Answer:
    values = {"skill": "recommend", "language": "en", "requirements": Requirements(), **more}
    return Answer.model_validate({"thread": "T1:C1:1.0", "text": text, **values})


def a_citation(n: int = 1, **more: str) -> Citation:
    values = {"title": "Metrics", "source": "https://example.org/m", "locator": "Bits", "quote": "…", **more}
    return Citation.model_validate({"n": n, **values})


def a_job(**more: object) -> Job:
    return Job(
        **{"id": "42", "spec": evaluation(), "owner": "U0ANA", "thread": None, "state": "running", **more}
    )  # type: ignore[arg-type]


def assert_slack_takes(message: Message) -> None:
    arguments = message.arguments()
    assert message_problems(arguments) == []
    for block in arguments["blocks"]:
        Block.parse(block).validate_json()


def test_answer_is_a_markdown_block_with_a_plain_fallback() -> None:
    (message,) = answer_messages(an_answer())

    assert message.blocks == ({"type": "markdown", "text": "**Qwen3-8B** fits best.\n\nBecause."},)
    assert message.text == "Qwen3-8B fits best."


def test_actions_become_buttons_whose_value_is_json() -> None:
    action = Action(id="evaluate", label="Evaluate top 3", value={"models": ["a/b"]})

    (message,) = answer_messages(an_answer(actions=(action,)))

    (button,) = message.blocks[-1]["elements"]
    assert button["action_id"] == "shortlist_evaluate"
    assert button["text"]["text"] == "Evaluate top 3"
    assert json.loads(button["value"]) == {"models": ["a/b"]}


def test_two_buttons_of_one_kind_have_different_ids() -> None:
    actions = (
        Action(id="ask", label="A", value={"say": "a"}),
        Action(id="ask", label="B", value={"say": "b"}),
    )

    (message,) = answer_messages(an_answer(actions=actions))

    ids = [element["action_id"] for element in message.blocks[-1]["elements"]]
    assert ids == ["shortlist_ask", "shortlist_ask_2"]


def test_button_that_slack_would_refuse_is_left_out() -> None:
    action = Action(id="evaluate", label="Evaluate", value={"models": ["m" * 2_000]})

    (message,) = answer_messages(an_answer(actions=(action,)))

    assert [block["type"] for block in message.blocks] == ["markdown"]


def test_stop_button_is_left_to_the_card_of_the_job() -> None:
    action = Action(id="cancel", label="Stop", value={"job_id": "42"})

    (started,) = answer_messages(an_answer(actions=(action,), skill="evaluate", jobs=("42",)))
    (asked_for,) = answer_messages(an_answer(actions=(action,), skill="jobs", jobs=("42",)))

    assert [block["type"] for block in started.blocks] == ["markdown"]
    assert [block["type"] for block in asked_for.blocks] == ["markdown", "actions"]


def test_list_of_sources_at_the_end_is_replaced_by_links() -> None:
    answer = an_answer("Bits per byte [1].\n\n[1] Metrics › Bits", citations=(a_citation(),))

    (message,) = answer_messages(answer)

    assert message.blocks[0]["text"] == "Bits per byte [1]."
    assert message.blocks[1]["elements"][0]["text"] == "Sources: [1] <https://example.org/m|Metrics · Bits>"


def test_source_that_is_no_link_is_named() -> None:
    (message,) = answer_messages(an_answer(citations=(a_citation(source="notes.md"),)))

    assert message.blocks[1]["elements"][0]["text"] == "Sources: [1] Metrics · Bits (notes.md)"


def test_more_than_ten_sources_are_all_shown() -> None:
    citations = tuple(a_citation(n) for n in range(1, 24))

    (message,) = answer_messages(an_answer(citations=citations))

    assert str(message.blocks).count("https://example.org/m") == 23
    assert_slack_takes(message)


@pytest.mark.parametrize("mark", ["<!channel>", "<!here>", "<@U0BEN>", "<#C1>"])
def test_words_from_data_cannot_notify_anybody(mark: str) -> None:
    answer = an_answer(f"The best is {mark}", citations=(a_citation(title=mark, source="x"),))

    (message,) = answer_messages(answer, heading=None)

    assert mark not in json.dumps(message.arguments(), ensure_ascii=False)


def test_long_text_is_cut_between_paragraphs_and_nothing_is_lost() -> None:
    text = "\n\n".join(f"{number} " + "word " * 300 for number in range(20))

    pieces = split_markdown(text)

    assert len(pieces) > 1
    assert "\n\n".join(pieces).split() == text.split()
    assert all(len(piece) <= 9_000 for piece in pieces)


def test_paragraph_without_a_break_is_cut_between_lines_then_anywhere() -> None:
    text = "\n".join(["| row |"] * 2_000 + ["x" * 20_000])

    pieces = split_markdown(text)

    assert all(len(piece) <= 9_000 for piece in pieces)
    assert sum(piece.count("| row |") for piece in pieces) == 2_000
    assert sum(piece.count("x") for piece in pieces) == 20_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**Bold** and `code` and [a link](https://example.org)", "Bold and code and a link"),
        ("## Heading\n\nText", "Heading"),
        ("| a | b |\n| --- | --- |\n\nAfter the table", "After the table"),
        ("- one\n- two", "one two"),
        ("R&D <10 GB", "R&amp;D &lt;10 GB"),
        ("结论：**Qwen3-8B**", "结论：Qwen3-8B"),
    ],
)
def test_fallback_reads_well_in_a_notification(text: str, shown: str) -> None:
    assert fallback(text) == shown


def test_fallback_is_short() -> None:
    assert len(fallback("word " * 500)) <= 300


def test_defused_markdown_still_has_its_links_and_comparisons() -> None:
    assert defused("a < b, <https://example.org>") == "a < b, <https://example.org>"


@given(
    text=st.text(max_size=30_000),
    labels=st.lists(st.text(min_size=1, max_size=200), max_size=30),
    titles=st.lists(st.text(min_size=1, max_size=400), max_size=12),
)
def test_slack_takes_every_answer(text: str, labels: list[str], titles: list[str]) -> None:
    answer = an_answer(
        text,
        actions=tuple(Action(id="ask", label=label, value={"say": label}) for label in labels),
        citations=tuple(a_citation(n, title=title) for n, title in enumerate(titles)),
    )

    for message in answer_messages(answer, heading="*Ana* asked: …"):
        assert_slack_takes(message)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("spec", [evaluation(), tuning()])
@pytest.mark.parametrize(
    "state", ["queued", "starting", "running", "cancelling", "succeeded", "failed", "cancelled"]
)
def test_slack_takes_every_card_and_list(language: Language, spec: object, state: str) -> None:
    job = a_job(spec=spec, state=state)

    assert_slack_takes(card(job, [], owner=NASTY, language=language))
    assert_slack_takes(jobs_message([job] * 30, language))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_slack_takes_the_result_of_an_evaluation(language: Language) -> None:
    result = {"job_id": "42", "state": "succeeded", "reason": None, **evaluation_result()}

    message = result_message(a_job(state="succeeded"), result, language=language)

    assert_slack_takes(message)
    assert "SmolLM2-135M-Instruct" in message.text


def test_winner_of_an_evaluation_can_be_tuned_with_one_press() -> None:
    result = {"job_id": "42", "state": "succeeded", "reason": None, **evaluation_result()}

    message = result_message(a_job(state="succeeded"), result, language="en")

    button, *_others = message.blocks[-1]["elements"]
    assert button["action_id"] == "shortlist_finetune"
    assert json.loads(button["value"]) == {
        "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "dataset": f"sha256:{'0' * 64}",
    }


def test_sentence_that_quotes_a_person_cannot_notify() -> None:
    assert "<!channel>" not in str(text_message(f"There is no model {NASTY}").arguments())
