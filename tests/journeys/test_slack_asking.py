"""Asking on a bad day: what is edited, deleted, redelivered, asked too often, or asked of a bot that was killed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import select, update

from bot import receiving
from bot.inbox import Received
from index.schema import deliveries, inbox, turns
from skills.conversation.answer import Action
from skills.conversation.request import Turn
from tests.slack_bot import RunningBot, ScriptedReply, answer_to, evaluation, open_surface, running_bot, shown
from tests.slack_person import Person
from tests.slack_server import BOT_TOKEN, BOT_USER, Payload, SlackServer

EARLIER = (datetime.now(UTC) - timedelta(days=2)).isoformat(timespec="milliseconds")


class Gate:
    """A reply that waits until the test lets it go on."""

    def __init__(self) -> None:
        self.asked, self.may_answer = Event(), Event()

    def __call__(self, turn: Turn) -> str:
        self.asked.set()
        self.may_answer.wait()
        return f"You asked: {turn.text}"


def state_of(bot: RunningBot) -> list[str]:
    with bot.surface.engine.connect() as connection:
        return list(connection.execute(select(inbox.c.state).order_by(inbox.c.ts)).scalars())


def test_questions_are_answered_once_and_in_order_however_slack_delivers_them(
    tmp_path: Path, slack: SlackServer
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        roots = [bot.ana.mention(f"question 0 of {number}") for number in range(4)]
        bot.posts()
        said = [
            bot.ana.write(f"question {n} of {number}", "C0TEAM", root["ts"])
            for n in range(1, 5)
            for number, root in enumerate(roots)
        ]
        for event in said:  # in order, but each again and again, among the others
            bot.ana.deliver_badly([event], seed=hash(event["ts"]) % 97)
        answers = bot.posts()

    by_thread: dict[str, list[str]] = defaultdict(list)
    for answer in answers:
        by_thread[answer["thread_ts"]].append(answer["text"])
    assert [by_thread[root["ts"]] for root in roots] == [
        [f"You asked: question {n} of {number}" for n in range(5)] for number in range(4)
    ]


def test_messages_that_wait_are_answered_in_the_order_in_which_they_were_written(
    tmp_path: Path, slack: SlackServer
) -> None:
    gate = Gate()
    with running_bot(open_surface(tmp_path, say=gate), slack) as bot:
        root = bot.ana.mention("first")
        gate.asked.wait()
        later = [bot.ana.write(text, "C0TEAM", root["ts"]) for text in ("second", "third", "fourth")]
        bot.ana.deliver_badly(reversed(later))
        gate.may_answer.set()
        answers = bot.posts()

    assert [answer["text"].split(": ")[1] for answer in answers] == ["first", "second", "third", "fourth"]


def test_one_slow_thread_holds_up_no_other(tmp_path: Path, slack: SlackServer) -> None:
    gate = Gate()

    def say(turn: Turn) -> str:
        return gate(turn) if "slow" in turn.text else turn.text

    with running_bot(open_surface(tmp_path, say=say), slack) as bot:
        bot.ana.mention("slow")
        gate.asked.wait()
        bot.ana.mention("quick")
        (first,) = slack.wait_for("chat.postMessage")
        gate.may_answer.set()

    assert first["text"] == "quick"


def test_question_that_was_received_but_not_answered_is_answered_after_a_restart(
    tmp_path: Path, slack: SlackServer
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        root = bot.ana.write(f"<@{BOT_USER}> which model?", "C0TEAM")
        kept = {
            "team": "T0TEAM", "channel": "C0TEAM", "thread_ts": root["ts"], "user": "U0ANA", "ts": root["ts"],
            "text": root["text"], "bot_user": BOT_USER,
        }  # fmt: skip
        name = f"T0TEAM:C0TEAM:{root['ts']}"
        bot.surface.inbox.put(Received(key=name, thread=name, person="U0ANA", ts=root["ts"], event=kept))
        taken = bot.surface.inbox.take(name)
    with running_bot(open_surface(tmp_path), slack) as bot:
        receiving.resume(bot.surface, lambda _: bot.app.client, is_alone=True)
        (answer,) = bot.posts()
        bot.ana.deliver({**root, "type": "app_mention"}, retry=1)
        answers = bot.posts()

    assert isinstance(taken, Received)
    assert (answer["thread_ts"], answer["text"]) == (root["ts"], "You asked: which model?")
    assert len(answers) == 1


def test_question_of_hours_ago_is_not_answered_after_a_restart(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.surface.inbox.put(
            Received(key="k", thread="T:C:1", person="U0ANA", ts="1", event={"team": "T", "text": "secret"})
        )
        with bot.surface.engine.begin() as connection:
            connection.execute(update(inbox).values(received_at_utc=EARLIER))
        receiving.resume(bot.surface, lambda _: bot.app.client, is_alone=True)
        answers = bot.posts()
        dropped = bot.surface.inbox.get("k")

    assert answers == []
    assert dropped is not None
    assert (dropped.state, dropped.event) == ("dropped", {})


def test_nothing_of_what_was_said_stays_in_the_inbox(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.mention("my secret plan")
        (answer,) = bot.posts()
        kept = bot.surface.inbox.get(f"T0TEAM:C0TEAM:{question['ts']}")

    assert kept is not None
    assert (kept.state, kept.event, kept.answers) == ("done", {}, (answer["ts"],))


def test_thread_that_was_quiet_for_a_day_is_not_ours_until_somebody_mentions_us(
    tmp_path: Path, slack: SlackServer
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.mention("which model?")
        bot.posts()
        with bot.surface.engine.begin() as connection:
            connection.execute(update(turns).values(created_at_utc=EARLIER))
            connection.execute(update(inbox).values(received_at_utc=EARLIER))
            connection.execute(update(deliveries).values(received_at_utc=EARLIER))
        bot.ana.say("anyone for lunch?", thread_ts=question["ts"])
        left_alone = len(bot.posts())
        bot.ana.mention("and for 16 GB?", thread_ts=question["ts"])
        bot.posts()
        bot.ana.say("and for 8 GB?", thread_ts=question["ts"])
        answers = bot.posts()

    assert left_alone == 1
    assert [answer["text"] for answer in answers[1:]] == [
        "You asked: and for 16 GB?",
        "You asked: and for 8 GB?",
    ]


def test_edited_question_is_answered_anew_in_the_same_message(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.mention("which model for 24 GB?")
        (answer,) = bot.posts()
        bot.ana.edit(question, f"<@{BOT_USER}> which model for 16 GB?")
        (same,) = bot.posts()

    assert same["ts"] == answer["ts"]
    assert same["text"] == "You asked: which model for 16 GB?"
    assert [turn.after for turn in bot.turns] == [None, 0]


def test_question_that_is_edited_while_it_waits_is_answered_as_it_is_now(
    tmp_path: Path, slack: SlackServer
) -> None:
    gate = Gate()
    with running_bot(open_surface(tmp_path, say=gate), slack) as bot:
        root = bot.ana.mention("first")
        gate.asked.wait()
        second = bot.ana.say("for 24 GB", thread_ts=root["ts"])
        bot.ana.edit(second, "for 16 GB")
        gate.may_answer.set()
        answers = bot.posts()

    assert [answer["text"] for answer in answers] == ["You asked: first", "You asked: for 16 GB"]


def test_link_that_unfolds_is_no_edit(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.mention("is https://example.org good?")
        bot.posts()
        bot.ana.edit(question, question["text"])
        bot.settle()

    assert len(bot.turns) == 1


def test_edit_that_adds_a_mention_asks(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        said = bot.ana.say("which model?")
        bot.ana.edit(said, f"<@{BOT_USER}> which model?")
        (answer,) = bot.posts()

    assert answer["thread_ts"] == said["ts"]


def test_edit_of_a_question_that_started_a_job_starts_no_other(tmp_path: Path, slack: SlackServer) -> None:
    surface = open_surface(tmp_path)

    def say(turn: Turn) -> object:
        job = surface.jobs.submit(evaluation(), dedupe_key=str(turn.key), owner=turn.person)
        return answer_to(turn, skill="evaluate", text="Queued.", jobs=(job.id,))

    surface.reply.say = say  # type: ignore[attr-defined]
    with running_bot(surface, slack) as bot:
        question = bot.ana.mention("evaluate it")
        bot.posts()
        bot.ana.edit(question, f"<@{BOT_USER}> evaluate it twice")
        told = bot.posts()[-1]
        jobs = bot.surface.jobs.list()

    assert "started job 1 already" in told["text"]
    assert len(jobs) == 1


def test_deleted_question_takes_its_answer_with_it(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        root = bot.ana.mention("which model?")
        bot.posts()
        follow_up = bot.ana.say("my password is hunter2", thread_ts=root["ts"])
        bot.posts()
        bot.ana.delete(follow_up)
        answers = bot.posts()

    assert [answer["text"] for answer in answers] == ["You asked: which model?"]


def test_question_that_is_deleted_while_it_is_worked_on_is_not_answered(
    tmp_path: Path, slack: SlackServer
) -> None:
    gate = Gate()
    with running_bot(open_surface(tmp_path, say=gate), slack) as bot:
        question = bot.ana.mention("which model?")
        gate.asked.wait()
        bot.ana.delete(question)
        gate.may_answer.set()
        answers = bot.posts()
        states = state_of(bot)

    assert answers == []
    assert states == ["dropped"]


def test_thread_that_is_gone_is_no_place_for_an_answer(
    tmp_path: Path, slack: SlackServer, caplog: pytest.LogCaptureFixture
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.write(f"<@{BOT_USER}> which model?", "C0TEAM")
        slack.workspace.delete(question)
        bot.ana.deliver({**question, "type": "app_mention"})
        bot.settle()
        states = state_of(bot)

    assert slack.refused("chat.postMessage") == ["thread_not_found"]
    assert states == ["done"]
    assert "answer not finished" not in caplog.text


def test_token_that_was_taken_back_is_said_in_the_log(
    tmp_path: Path, slack: SlackServer, caplog: pytest.LogCaptureFixture
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.mention("which model?")
        bot.posts()
        slack.workspace.revoked.add(BOT_TOKEN)
        bot.ana.mention("and now?")
        bot.settle()

    assert "Slack refuses the token (token_revoked)" in caplog.text
    assert "and now?" not in caplog.text


def test_more_questions_than_a_person_may_ask_are_left_out_with_a_line(
    tmp_path: Path, slack: SlackServer
) -> None:
    surface = replace(open_surface(tmp_path), questions_per_minute=2)
    with running_bot(surface, slack) as bot:
        for number in range(3):
            bot.ana.mention(f"第 {number} 个问题：用哪个模型？")
            bot.settle()
        Person(slack, bot.port, id="U0BEN").mention("which model?")
        answers = bot.posts()
        (told,) = slack.calls("chat.postEphemeral")

    assert len(answers) == 3
    assert told["user"] == "U0ANA"
    assert "一分钟内超过了 2 个问题" in told["text"]


def test_commands_and_buttons_count_as_questions(tmp_path: Path, slack: SlackServer) -> None:
    why = Action(id="ask", label="Why?", value={"say": "why?"})
    surface = open_surface(tmp_path, say=lambda turn: answer_to(turn, actions=(why,)))
    with running_bot(replace(surface, questions_per_minute=2), slack) as bot:
        bot.ana.mention("which model?")
        (answer,) = bot.posts()
        bot.ana.press(answer, "shortlist_ask")
        bot.ana.press(answer, "shortlist_ask")
        bot.ana.command("/shortlist", "which model?")
        told = bot.told()

    assert len(bot.turns) == 2
    assert ["more than 2 questions in a minute" in payload["text"] for payload in told] == [True, True]


def test_answers_of_a_thread_keep_their_order_when_slack_limits_the_rate(
    tmp_path: Path, slack: SlackServer
) -> None:
    slack.workspace.rate_limits["chat.postMessage"] = 1
    slack.workspace.retry_after_s = 1
    with running_bot(open_surface(tmp_path), slack) as bot:
        root = bot.ana.mention("first")
        for text in ("second", "third"):
            bot.ana.say(text, thread_ts=root["ts"])
        answers = bot.posts()

    assert [answer["text"] for answer in answers] == [f"You asked: {n}" for n in ("first", "second", "third")]


def test_answer_to_another_bot_or_to_ourselves_is_impossible(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.mention("which model?")
        (answer,) = bot.posts()
        for more in (
            {"user": BOT_USER, "bot_id": "B0BOT"},
            {"user": "U0X", "bot_id": "B0X"},
            {"user": BOT_USER},
        ):
            echo = {**question, **more, "ts": slack.workspace.next_ts(), "thread_ts": question["ts"]}
            bot.ana.deliver(echo, event_id=f"Ev{echo['ts']}")
        bot.ana.edit(answer | {"channel_type": "channel"}, f"<@{BOT_USER}> loop")
        answers = bot.posts()

    assert len(answers) == 1


def streaming(pieces: list[str]) -> Callable[[ScriptedReply, Turn, Callable[[str], None] | None], object]:
    """A reply that says its words as they come, as a chat model does."""

    def reply(scripted: ScriptedReply, turn: Turn, said: Callable[[str], None] | None = None) -> object:
        for piece in pieces:
            if said is not None:
                said(piece)
        return scripted(turn)

    return reply


@pytest.fixture
def every_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show each piece as it comes: the interval between two is not what is tested."""
    monkeypatch.setattr("bot.live._INTERVAL_S", 0)


def stream_bot(home: Path, *pieces: str) -> object:
    surface = open_surface(home)
    scripted = surface.reply
    return replace(surface, reply=partial(streaming(list(pieces)), scripted)), scripted


@pytest.mark.usefixtures("every_piece")
def test_answer_streams_and_ends_as_the_whole_message(tmp_path: Path, slack: SlackServer) -> None:
    surface, _ = stream_bot(tmp_path, "Qwen3 fits. ", "It is small. <!channel>")
    with running_bot(surface, slack) as bot:
        question = bot.ana.mention("which model?")
        (answer,) = bot.posts()

    (started,) = slack.calls("chat.startStream")
    (appended,) = slack.calls("chat.appendStream")
    assert started["thread_ts"] == question["ts"]
    assert (started["markdown_text"], appended["markdown_text"]) == (
        "Qwen3 fits. ",
        "It is small. &lt;!channel>",
    )
    assert answer["text"] == "You asked: which model?"
    assert slack.workspace.streams == {}
    assert slack.calls("chat.postMessage") == []


@pytest.mark.usefixtures("every_piece")
def test_answer_arrives_although_slack_closes_its_stream(tmp_path: Path, slack: SlackServer) -> None:
    slack.workspace.closes_streams_after = 1
    surface, _ = stream_bot(tmp_path, "a ", "b ", "c ", "d ")
    with running_bot(surface, slack) as bot:
        bot.ana.mention("which model?")
        (answer,) = bot.posts()

    assert slack.refused("chat.appendStream") == ["message_not_in_streaming_state"]
    assert answer["text"] == "You asked: which model?"


@pytest.mark.usefixtures("every_piece")
def test_answer_is_posted_where_no_stream_is_possible(tmp_path: Path, slack: SlackServer) -> None:
    slack.workspace.refusals["chat.startStream"] = ["not_allowed_token_type"]
    surface, _ = stream_bot(tmp_path, "a ", "b ")
    with running_bot(surface, slack) as bot:
        bot.ana.mention("which model?")
        bot.ana.say("which model?", channel="D0ANA")
        answers = bot.posts()

    assert [answer["text"] for answer in answers] == ["You asked: which model?"] * 2
    assert slack.calls("chat.startStream") == []


@pytest.mark.usefixtures("every_piece")
def test_bug_while_an_answer_streams_is_told_in_the_same_message(tmp_path: Path, slack: SlackServer) -> None:
    surface, scripted = stream_bot(tmp_path, "Qwen3 ")
    scripted.say = lambda _: KeyError("bug")
    with running_bot(surface, slack) as bot:
        bot.ana.mention("which model?")
        (answer,) = bot.posts()

    assert "Something went wrong on my side" in answer["text"]


def test_agent_says_that_it_is_at_work_and_when_it_is_done(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.say("which model?", channel="D0ANA", thread_ts=bot.ana.write("hi", "D0ANA")["ts"])
        bot.settle()

    statuses = slack.calls("agents.sessions.setStatus")
    assert [status["status"] for status in statuses] == ["processing", "active"]
    assert {status["thread_ts"] for status in statuses} == {question["thread_ts"]}
    assert statuses[0]["title"] == "which model?"


def test_native_stop_gives_up_the_answer_that_is_under_way(tmp_path: Path, slack: SlackServer) -> None:
    gate = Gate()
    with running_bot(open_surface(tmp_path, say=gate), slack) as bot:
        question = bot.ana.mention("which model?")
        gate.asked.wait()
        stop = {
            "type": "agent_session_stopped",
            "channel": "C0TEAM",
            "thread_ts": question["ts"],
            "user": "U0ANA",
        }
        bot.ana.deliver({**stop, "streaming_message_ts": []})
        slack.wait_for("chat.postMessage")
        gate.may_answer.set()
        posts = bot.posts()

    assert [post["text"] for post in posts] == ["Stopped."]
    assert {status["status"] for status in slack.calls("agents.sessions.setStatus")} == {
        "processing",
        "active",
    }


def test_older_status_is_shown_where_sessions_are_not_known(tmp_path: Path, slack: SlackServer) -> None:
    slack.workspace.refusals["agents.sessions.setStatus"] = ["unknown_method"]
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.mention("用哪个模型？")
        bot.settle()

    (status,) = slack.calls("assistant.threads.setStatus")
    assert status["status"] == "正在查……"


@pytest.mark.parametrize("is_old", [False, True])
def test_agent_suggests_what_to_ask_in_the_language_of_the_person(
    tmp_path: Path, slack: SlackServer, is_old: bool
) -> None:
    old = {"channel_id": "D0ANA", "user_id": "U0ANA", "thread_ts": "1.0", "context": {}}
    opened: Payload = {"type": "app_home_opened", "user": "U0ANA", "channel": "D0ANA", "tab": "messages"}
    started: Payload = {"type": "assistant_thread_started", "assistant_thread": old}
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.say("用哪个模型？", channel="D0ANA")
        bot.posts()
        bot.ana.deliver(started if is_old else opened)
        bot.settle()

    (suggested,) = slack.calls("assistant.threads.setSuggestedPrompts")
    assert suggested["channel_id"] == "D0ANA"
    assert suggested.get("thread_ts") == ("1.0" if is_old else None)
    assert "哪个开源模型" in str(suggested["prompts"])


def test_shortcut_asks_about_a_message_in_its_thread(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        message = Person(slack, bot.port, id="U0BEN").write("We need summaries on 24 GB", "C0TEAM")
        bot.ana.shortcut(message, "ask_about_message")
        bot.settle()
        (view,) = slack.workspace.views.values()
        bot.ana.submit(view, question="Which model for this: summaries on 24 GB?")
        (answer,) = bot.posts()

    assert view["blocks"][0]["element"]["initial_value"] == "We need summaries on 24 GB"
    assert answer["thread_ts"] == message["ts"]
    assert "name of U0ANA* asked: Which model for this" in shown(answer)


def test_shortcut_in_a_channel_without_the_bot_is_answered_directly(
    tmp_path: Path, slack: SlackServer
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        message = bot.ana.write("哪个模型好？", "G0SECRET")
        slack.workspace.without_bot.add("G0SECRET")
        bot.ana.shortcut(message, "ask_about_message")
        bot.settle()
        (view,) = slack.workspace.views.values()
        bot.ana.submit(view)
        (answer,) = bot.posts()

    assert view["title"]["text"] == "问 Shortlist"
    assert answer["channel"] == "D0ANA"


def test_shortcut_that_came_too_late_is_explained(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        message = bot.ana.write("which model?", "C0TEAM")
        slack.workspace.refusals["views.open"] = ["expired_trigger_id"]
        bot.ana.shortcut(message, "ask_about_message")
        (told,) = bot.told()

    assert "try once more" in told["text"]


def test_home_of_somebody_who_left_is_no_error(
    tmp_path: Path, slack: SlackServer, caplog: pytest.LogCaptureFixture
) -> None:
    slack.workspace.gone.add("U0ANA")
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.deliver({"type": "app_home_opened", "user": "U0ANA", "channel": "D0ANA", "tab": "home"})
        bot.settle()

    assert slack.refused("views.publish") == ["user_not_found"]
    assert "Traceback" not in caplog.text


def test_acknowledgement_waits_for_no_answer(tmp_path: Path, slack: SlackServer) -> None:
    """More slow answers than there are threads to work on them: commands and events are still acknowledged."""
    gate = Gate()
    with running_bot(open_surface(tmp_path, say=gate), slack) as bot:
        statuses = [bot.ana.deliver(bot.ana.write("q", f"D{number:04}")) for number in range(80)]
        command = bot.ana.command("/shortlist", "")
        gate.may_answer.set()
        bot.settle()

    assert set(statuses) == {200}
    assert command[0] == 200


def test_event_is_not_acknowledged_when_the_store_does_not_take_it(
    tmp_path: Path, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.write(f"<@{BOT_USER}> which model?", "C0TEAM")
        with monkeypatch.context() as broken:
            broken.setattr("bot.inbox.Inbox.put", lambda *_: 1 / 0)
            refused = bot.ana.deliver({**question, "type": "app_mention"})
        taken = bot.ana.deliver({**question, "type": "app_mention"}, retry=1)
        answers = bot.posts()

    assert (refused, taken) == (500, 200)
    assert len(answers) == 1
