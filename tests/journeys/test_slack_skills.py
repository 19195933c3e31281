"""The whole way: a signed event in, the real skills and the real jobs behind it, the messages out."""

from __future__ import annotations

from pathlib import Path

from bot.access import Access
from bot.app import build_desk
from bot.settings import Settings
from bot.slack import surface_of
from bot.surface import Surface
from finetune.jobs import Jobs
from tests.slack_bot import running_bot, shown
from tests.slack_server import SlackServer

QUESTION = (
    "Which open model for Chinese customer-support summarisation on a single 24 GB GPU? Apache or MIT only."
)


def real_surface(home: Path, *, runners: frozenset[str] = frozenset()) -> Surface:
    """A real desk, whose jobs wait in the queue: no worker is started."""
    settings = Settings(home=home, _env_file=None)
    desk = build_desk(settings)
    desk.jobs = Jobs(desk.engine, home=home, database_url=settings.store_url, worker_command=None)
    return surface_of(desk, Access(runners or frozenset({"*"})))


def test_question_its_follow_up_in_chinese_and_a_button(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(real_surface(tmp_path), slack) as bot:
        question = bot.ana.mention(QUESTION)
        (answer,) = bot.posts()
        bot.ana.say("如果只有 16GB 呢？", thread_ts=question["ts"])
        follow_up = bot.posts()[1]
        bot.ana.press(follow_up, "shortlist_explain")
        explained = bot.posts()[2]

    assert "Sources: [1]" in shown(answer)
    assert "shortlist_evaluate" in shown(answer)
    assert "16 GiB" in shown(follow_up)
    assert "排第 1" in shown(explained)
    assert {message["thread_ts"] for message in bot.posts()} == {question["ts"]}


def test_job_started_in_words_gets_its_card_and_can_be_stopped(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(real_surface(tmp_path), slack) as bot:
        bot.ana.mention("evaluate SmolLM2-135M-Instruct on tickets with int8, 64 rows")
        _, card = bot.posts()
        bot.ana.press(card, "shortlist_cancel")
        result = bot.posts()[2]

    assert "*Evaluation #1* · 1 candidate · tickets (64 rows)" in shown(card)
    assert "<@U0ANA>" in shown(result)


def test_job_in_words_needs_the_role_when_there_are_runners(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(real_surface(tmp_path, runners=frozenset({"U0BEN"})), slack) as bot:
        bot.ana.mention("请用 int8 量化方式，在示例数据 tickets 上评测一下 SmolLM2-135M-Instruct")
        (refusal,) = bot.posts()
        jobs = bot.surface.jobs.list()

    assert "<@U0BEN>" in shown(refusal)
    assert "你还没有" in shown(refusal)
    assert jobs == []


def test_unknown_data_set_is_explained_in_the_language_of_the_asker(
    tmp_path: Path, slack: SlackServer
) -> None:
    with running_bot(real_surface(tmp_path), slack) as bot:
        bot.ana.say("请在我们的数据集 nowhere.csv 上评测一下 SmolLM2-135M-Instruct", channel="D0ANA")
        (answer,) = bot.posts()

    assert "nowhere.csv" in answer["text"]
    assert any("\u4e00" <= char <= "\u9fff" for char in answer["text"])


def test_form_starts_with_the_models_of_the_last_answer(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(real_surface(tmp_path), slack) as bot:
        bot.ana.say(QUESTION, channel="D0ANA")
        bot.posts()
        bot.ana.command("/evaluate", "the top two on tickets", channel="D0ANA")
        bot.settle()
        (view,) = slack.workspace.views.values()

    fields = {block["block_id"]: block["element"] for block in view["blocks"] if block["type"] == "input"}
    assert len(fields["candidates"]["initial_value"].split()) == 2
    assert fields["dataset"]["initial_option"]["value"] == "name:tickets"
