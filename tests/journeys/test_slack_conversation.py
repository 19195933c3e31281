"""Asking in Slack: what a person writes, delivered as Slack delivers it, and what they read back."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from index.bilingual import Bilingual
from index.errors import UnknownModel
from skills.conversation.answer import Action, Citation
from skills.conversation.request import Turn
from tests.slack_bot import answer_to, open_surface, running_bot
from tests.slack_server import BOT_USER, SlackServer


def test_mention_is_answered_in_its_thread(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.mention("which model for support tickets?")

        (answer,) = bot.posts()

    assert answer["thread_ts"] == question["ts"]
    assert answer["blocks"][0] == {
        "type": "markdown",
        "text": "**You asked:** which model for support tickets?",
    }
    assert answer["text"] == "You asked: which model for support tickets?"


def test_follow_up_in_the_thread_needs_no_mention(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.mention("which model?")
        bot.posts()
        bot.ana.say("what if we only have 16 GB?", thread_ts=question["ts"])

        answers = bot.posts()

    assert [turn.text for turn in bot.turns] == ["which model?", "what if we only have 16 GB?"]
    assert {turn.thread for turn in bot.turns} == {f"T0TEAM:C0TEAM:{question['ts']}"}
    assert answers[1]["thread_ts"] == question["ts"]


@pytest.mark.parametrize("how", ["mention", "command"])
def test_follow_up_that_comes_before_the_first_answer_is_answered_too(
    tmp_path: Path, slack: SlackServer, how: str
) -> None:
    asked, may_answer = Event(), Event()

    def say(turn: Turn) -> str:
        asked.set()
        may_answer.wait()
        return turn.text

    with running_bot(open_surface(tmp_path, say=say), slack) as bot:
        if how == "mention":
            bot.ana.mention("which model?")
        else:
            bot.ana.command("/shortlist", "which model?")
        asked.wait()
        (root,) = slack.workspace.messages.values()
        bot.ana.say("for 16 GB", thread_ts=root["ts"])
        may_answer.set()
        bot.settle()

    assert {turn.text for turn in bot.turns} == {"which model?", "for 16 GB"}


def test_follow_up_still_works_after_a_restart(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.mention("which model?")
        bot.posts()
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.say("and for 16 GB?", thread_ts=question["ts"])

        answers = bot.posts()

    assert answers[1]["thread_ts"] == question["ts"]


def test_other_talk_in_the_channel_is_left_alone(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        lunch = bot.ana.say("lunch?")
        bot.ana.say("pizza", thread_ts=lunch["ts"])
        bot.settle()

    assert bot.turns == []


def test_word_to_a_colleague_in_our_thread_is_left_alone(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.mention("which model?")
        bot.posts()
        bot.ana.say("<@U0BEN> what do you think?", thread_ts=question["ts"])
        bot.settle()

    assert [turn.text for turn in bot.turns] == ["which model?"]


def test_event_that_slack_delivers_again_is_answered_once(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.mention("which model?")
        statuses = [bot.ana.deliver(question, retry=number) for number in (1, 2, 3)]
        bot.settle()

    assert statuses == [200, 200, 200]
    assert len(slack.calls("chat.postMessage")) == 1


def test_event_delivered_again_after_a_restart_is_answered_once(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.mention("which model?")
        bot.posts()
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.deliver(question, retry=1)
        bot.settle()

    assert len(slack.calls("chat.postMessage")) == 1


@pytest.mark.parametrize("order", [("app_mention", "message"), ("message", "app_mention")])
def test_mention_and_its_message_twin_are_answered_once(
    tmp_path: Path, slack: SlackServer, order: tuple[str, str]
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.write(f"<@{BOT_USER}> which model?", "C0TEAM")
        for kind in order:
            bot.ana.deliver({**question, "type": kind})
        bot.settle()

    assert [turn.text for turn in bot.turns] == ["which model?"]
    assert len(slack.calls("chat.postMessage")) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"bot_id": "B0OTHER"},
        {"subtype": "message_changed"},
        {"subtype": "message_deleted"},
        {"subtype": "channel_join"},
        {"user": BOT_USER},
    ],
)
def test_bots_edits_and_joins_are_ignored(tmp_path: Path, slack: SlackServer, more: dict[str, str]) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.say("hello", channel="D0ANA", **more)
        bot.settle()

    assert bot.turns == []


def test_direct_message_is_one_running_conversation(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.say("which model?", channel="D0ANA")
        bot.posts()
        bot.ana.say("and cheaper?", channel="D0ANA")

        answers = bot.posts()

    assert {turn.thread for turn in bot.turns} == {"T0TEAM:D0ANA"}
    assert all(answer.get("thread_ts") is None for answer in answers)


def test_direct_message_in_a_thread_is_answered_in_the_thread(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        root = bot.ana.write("which model?", "D0ANA")
        bot.ana.say("and cheaper?", channel="D0ANA", thread_ts=root["ts"])

        (answer,) = bot.posts()

    assert answer["thread_ts"] == root["ts"]


def test_bare_mention_asks_for_help(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.mention("")
        bot.posts()

    assert bot.turns[0].text == "help"


def test_error_is_told_in_the_language_of_the_asker(tmp_path: Path, slack: SlackServer) -> None:
    error = UnknownModel(Bilingual(en="There is no model 'Foo'.", zh="没有名为 'Foo' 的模型。"))

    with running_bot(open_surface(tmp_path, say=lambda _: error), slack) as bot:
        bot.ana.mention("评测 Foo 这个模型")
        (answer,) = bot.posts()

    assert answer["text"] == "没有名为 'Foo' 的模型。"


def test_bug_is_an_apology_with_a_reference_and_no_details(
    tmp_path: Path, slack: SlackServer, caplog: pytest.LogCaptureFixture
) -> None:
    with running_bot(open_surface(tmp_path, say=lambda _: KeyError("secret detail")), slack) as bot:
        bot.ana.mention("which model for my private data?")
        (answer,) = bot.posts()

    (record,) = [record for record in caplog.records if hasattr(record, "reference")]
    assert record.reference in answer["text"]
    assert "secret detail" not in answer["text"]
    assert record.exc_info is not None
    assert "my private data" not in caplog.text


def test_long_answer_comes_in_several_messages(tmp_path: Path, slack: SlackServer) -> None:
    text = "\n\n".join(f"Paragraph {number}. " + "word " * 200 for number in range(30))

    with running_bot(open_surface(tmp_path, say=lambda _: text), slack) as bot:
        bot.ana.mention("tell me everything")
        answers = bot.posts()

    shown = "\n\n".join(answer["blocks"][0]["text"] for answer in answers)
    assert shown.split() == text.split()


def test_sources_are_links_and_are_shown_once(tmp_path: Path, slack: SlackServer) -> None:
    citation = Citation(
        n=1, title="Metrics", source="https://example.org/metrics", locator="Bits per byte", quote="…"
    )

    def say(turn: Turn) -> object:
        return answer_to(
            turn, text="Compare bits per byte [1].\n\n[1] Metrics › Bits per byte", citations=(citation,)
        )

    with running_bot(open_surface(tmp_path, say=say), slack) as bot:
        bot.ana.mention("perplexity?")
        (answer,) = bot.posts()

    assert answer["blocks"][0]["text"] == "Compare bits per byte [1]."
    assert "[1] <https://example.org/metrics|Metrics · Bits per byte>" in str(answer["blocks"][1])


def test_button_asks_its_question_in_the_thread(tmp_path: Path, slack: SlackServer) -> None:
    why = Action(id="ask", label="Why?", value={"say": "why the first?"})

    with running_bot(open_surface(tmp_path, say=lambda turn: answer_to(turn, actions=(why,))), slack) as bot:
        question = bot.ana.mention("which model?")
        (answer,) = bot.posts()
        bot.ana.press(answer, "shortlist_ask")
        answers = bot.posts()

    assert bot.turns[1].text == "why the first?"
    assert bot.turns[1].thread == bot.turns[0].thread
    assert answers[1]["thread_ts"] == question["ts"]
    assert "name of U0ANA* asked: why the first?" in str(answers[1]["blocks"][0])


def test_shortlist_command_shows_question_and_answer_to_the_channel(
    tmp_path: Path, slack: SlackServer
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        status, body = bot.ana.command("/shortlist", "which model for 24 GB?")
        (shown,) = bot.posts()

    assert (status, body) == (200, "")
    assert "asked: which model for 24 GB?" in str(shown["blocks"][0])
    assert shown["blocks"][1]["text"] == "**You asked:** which model for 24 GB?"


def test_thread_under_a_shortlist_command_is_a_conversation(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.command("/shortlist", "which model for 24 GB?")
        (root,) = bot.posts()
        bot.ana.say("and for 16 GB?", thread_ts=root["ts"])
        answers = bot.posts()

    assert answers[1]["thread_ts"] == root["ts"]
    assert bot.turns[0].thread == bot.turns[1].thread


def test_shortlist_command_in_a_direct_message_continues_it(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.command("/shortlist", "which model?", channel="D0ANA")
        (answer,) = bot.posts()

    assert bot.turns[0].thread == "T0TEAM:D0ANA"
    assert answer.get("thread_ts") is None


def test_shortlist_command_without_words_says_how_to_ask(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.command("/shortlist", "")
        (told,) = bot.told()

    assert told["text"].startswith("Ask me something")


def test_command_in_a_channel_without_the_bot_is_told_only_to_the_asker(
    tmp_path: Path, slack: SlackServer
) -> None:
    slack.workspace.without_bot.add("G0SECRET")

    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.command("/shortlist", "用哪个模型？", channel="G0SECRET")
        (told,) = bot.told()

    assert "/invite" in told["text"]
    assert "我不在这个频道里" in told["text"]
    assert bot.turns == []


def test_home_tab_shows_what_to_ask_in_the_language_of_the_person(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.say("用哪个模型？", channel="D0ANA")
        bot.posts()
        bot.ana.deliver({"type": "app_home_opened", "user": "U0ANA", "channel": "D0ANA", "tab": "home"})
        bot.settle()
        (published,) = slack.calls("views.publish")

    assert published["user_id"] == "U0ANA"
    assert "你的任务" in str(published["view"])
