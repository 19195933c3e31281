"""What can be pressed at a card and at a result, Slack's own Stop included; and buttons of another time."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetune.spec import EvaluationSpec, TuningSpec
from finetune.state import Job
from skills.conversation.request import Turn
from tests.slack_bot import (
    MODEL,
    RunningBot,
    Worker,
    answer_to,
    evaluation_result,
    launch,
    open_form,
    open_surface,
    running_bot,
    shown,
    with_more_options,
)
from tests.slack_person import Person, chosen
from tests.slack_server import Payload, SlackServer

TUNED = {
    "steps": 3, "base_model": MODEL, "method": "lora", "task": "causal-lm",
    "dataset": {"name": "tickets", "sha256": "0" * 64, "rows": 480}, "adapter": "/home/jobs/1/adapter",
}  # fmt: skip


def finish(bot: RunningBot, result: dict[str, object], job_id: str = "1") -> None:
    worker = Worker(bot.surface, bot.surface.jobs.status(job_id))
    worker.move("starting", "running")
    worker.succeed(result)


def opened_by(bot: RunningBot, message: Payload, action: str) -> Payload:
    """The form that a button opens."""
    before = set(bot.slack.workspace.views)
    bot.ana.press(message, action)
    bot.settle()
    (view,) = [view for name, view in bot.slack.workspace.views.items() if name not in before]
    return view


def jobs_by_age(bot: RunningBot) -> list[Job]:
    bot.settle()
    return bot.surface.jobs.list()[::-1]


def test_reproduce_opens_the_same_form_with_the_same_seed(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = with_more_options(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        launch(
            bot, view, candidates=f"{MODEL}\n{MODEL}@int8\nopenai:gpt-4.1-mini", limit="64", seed="7",
            metric=chosen("f1_macro"), max_usd="2.5", examples="3", instruction="Say it.",
            manner={"selected_options": [{"value": "full"}]},
        )  # fmt: skip
        (card,) = bot.posts()
        finish(bot, evaluation_result())
        bot.surface.cards.tick(bot.app.client)
        launch(bot, opened_by(bot, card, "shortlist_reproduce"))
        first, again = jobs_by_age(bot)

    assert isinstance(first.spec, EvaluationSpec)
    assert (first.spec.seed, first.spec.max_usd, first.spec.full) == (7, 2.5, True)
    assert again.spec == first.spec.model_copy(update={"fresh": True})
    assert again.id != first.id


def test_fine_tune_is_reproduced_with_all_its_settings(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = with_more_options(bot, open_form(bot, "/finetune", f"{MODEL} on tickets"))
        launch(
            bot, view, epochs="2", search="4", lora_rank="8", learning_rate="3e-4", seed="5",
            method=chosen("qlora"), export=chosen("merged"),
            variants={"selected_options": [{"value": "use_rslora"}]},
            augmentation={"selected_options": [{"value": "edits"}]},
        )  # fmt: skip
        (card,) = bot.posts()
        finish(bot, TUNED)
        bot.surface.cards.tick(bot.app.client)
        launch(bot, opened_by(bot, card, "shortlist_reproduce"))
        first, again = jobs_by_age(bot)

    assert isinstance(first.spec, TuningSpec)
    assert (first.spec.method, first.spec.use_rslora, first.spec.search, first.spec.export) == (
        "qlora", True, 4, "merged",
    )  # fmt: skip
    assert (first.spec.lora_rank, first.spec.lora_alpha, first.spec.learning_rate) == (8, 16, 3e-4)
    assert again.spec == first.spec


def test_winner_is_tuned_on_the_same_rows_by_one_press(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = open_form(bot, "/evaluate", f"{MODEL} on tickets")
        launch(bot, view, candidates=f"{MODEL}\n{MODEL}@int8")
        finish(bot, evaluation_result())
        bot.surface.cards.tick(bot.app.client)
        launch(bot, opened_by(bot, bot.posts()[-1], "shortlist_finetune"))
        evaluated, tuned = jobs_by_age(bot)

    assert isinstance(tuned.spec, TuningSpec)
    assert tuned.spec.base_model == MODEL
    assert tuned.spec.dataset.sha256 == evaluated.spec.dataset.sha256


def test_tuned_model_is_evaluated_beside_its_base_by_one_press(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/finetune", f"{MODEL} on tickets"))
        (card,) = bot.posts()
        folder = bot.surface.jobs.folder("1")
        adapter = folder / "adapter"
        finish(bot, TUNED | {"adapter": str(adapter)})
        adapter.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            # What the recipe writes beside this is no business of the buttons.
            patch.setattr("bot.render.cards.result_markdown", lambda *_: "**Tuned.**")
            bot.surface.cards.tick(bot.app.client)
        view = opened_by(bot, bot.posts()[-1], "shortlist_evaluate")
        candidates = next(b for b in view["blocks"] if b["block_id"] == "candidates")["element"]
        verdict = bot.ana.submit(view, candidates=f"{MODEL}@int8 + job 99")

    assert card["channel"] == "C0TEAM"
    assert candidates["initial_value"] == f"{MODEL} + job 1\n{MODEL}"
    assert "99" in verdict["errors"]["candidates"]


def test_result_offers_to_recommend_with_what_was_measured(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        bot.posts()
        finish(bot, evaluation_result())
        bot.surface.cards.tick(bot.app.client)
        result = bot.posts()[-1]
        bot.ana.press(result, "shortlist_ask")
        bot.settle()

    assert bot.turns[-1].text == "Which of SmolLM2-135M-Instruct for classification?"


def test_race_that_needs_more_rows_is_repeated_on_them_by_one_press(
    tmp_path: Path, slack: SlackServer
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = open_form(bot, "/evaluate", f"{MODEL} on tickets")
        launch(bot, view, candidates=f"{MODEL}\n{MODEL}@int8", limit="64")
        finish(bot, evaluation_result(verdict="insufficient", winner=None, more_rows_needed=100))
        bot.surface.cards.tick(bot.app.client)
        launch(bot, opened_by(bot, bot.posts()[-1], "shortlist_evaluate"))
        first, again = jobs_by_age(bot)

    assert again.spec == first.spec.model_copy(update={"limit": 164})


def test_native_stop_of_slack_stops_the_jobs_of_the_thread(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"), limit="20")
        card, other = bot.posts()
        event = {
            "type": "agent_session_stopped", "channel": card["channel"], "thread_ts": card["ts"],
            "user": "U0ANA", "event_ts": card["ts"], "streaming_message_ts": [],
        }  # fmt: skip
        bot.ana.deliver(event)
        bot.ana.deliver(event, retry=1)
        bot.settle()
        states = [bot.surface.jobs.status(name).state for name in ("1", "2")]

    assert states == ["cancelled", "queued"]
    assert "stopped" in shown(card)
    assert "shortlist_cancel" in shown(other)


def test_stranger_does_not_stop_jobs_by_the_native_stop(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path, runners=frozenset({"U0ANA"})), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        (card,) = bot.posts()
        event = {
            "type": "agent_session_stopped", "channel": card["channel"], "thread_ts": card["ts"],
            "user": "U0BEN", "event_ts": card["ts"],
        }  # fmt: skip
        Person(slack, bot.port, id="U0BEN").deliver(event)
        told = bot.posts()[-1]
        state = bot.surface.jobs.status("1").state

    assert state == "queued"
    assert "It goes on" in shown(told)


@pytest.mark.parametrize(
    ("action_id", "value"),
    [
        ("shortlist_cancel", "not json"),
        ("shortlist_cancel", "{}"),
        ("shortlist_explain", '{"question": "why"}'),
        ("shortlist_of_last_month", "{}"),
        ("something_else", "x"),
    ],
)
def test_button_of_an_earlier_version_is_explained_in_a_line(
    tmp_path: Path, slack: SlackServer, action_id: str, value: str
) -> None:
    label = {"type": "plain_text", "text": "停止"}
    element = {"type": "button", "action_id": action_id, "value": value, "text": label}
    with running_bot(open_surface(tmp_path, say=lambda turn: answer_to(turn, text="hello")), slack) as bot:
        bot.ana.mention("hello")
        (answer,) = bot.posts()
        answer["blocks"].append({"type": "actions", "elements": [element]})
        bot.ana.press(answer, action_id)
        (told,) = bot.told()

    assert "已经失效" in told["text"]


def test_stop_of_a_job_that_ended_long_ago_is_explained(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        (card,) = bot.posts()
        stale = {**card, "blocks": [dict(block) for block in card["blocks"]]}
        finish(bot, evaluation_result())
        bot.surface.cards.tick(bot.app.client)
        bot.ana.press(stale, "shortlist_cancel")
        told = bot.told()[-1]

    assert "has succeeded" in told["text"]


def test_many_cards_are_edited_in_turn_within_the_rate(tmp_path: Path, slack: SlackServer) -> None:
    surface = open_surface(tmp_path)

    def start(turn: Turn) -> object:
        return answer_to(turn, text=turn.text)

    surface.reply.say = start  # type: ignore[attr-defined]
    with running_bot(surface, slack) as bot:
        workers = []
        for number in range(5):
            launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"), limit=str(20 + number))
            bot.settle()
            workers.append(Worker(bot.surface, bot.surface.jobs.status(str(number + 1))))
            workers[-1].move("starting", "running")
        edits = []
        for done in range(1, 4):
            for worker in workers:
                worker.tell("progress", done=done, total=10, stage="evaluate")
            before = len(slack.calls("chat.update"))
            bot.surface.cards.tick(bot.app.client, most_edits=2)
            edits.append([call["ts"] for call in slack.calls("chat.update")[before:]])

    assert [len(some) for some in edits] == [2, 2, 2]
    assert len({ts for some in edits for ts in some}) == 5


def test_slack_shows_its_own_stop_while_a_job_of_an_agent_thread_runs(
    tmp_path: Path, slack: SlackServer
) -> None:
    surface = open_surface(tmp_path)

    def start(turn: Turn) -> object:
        data = surface.jobs.register_dataset("tickets")
        spec = EvaluationSpec.model_validate({"candidates": [{"model": MODEL}], "dataset": data})
        job = surface.jobs.submit(spec, dedupe_key=str(turn.key), owner=turn.person)
        return answer_to(turn, skill="evaluate", text="Queued.", jobs=(job.id,))

    surface.reply.say = start  # type: ignore[attr-defined]
    with running_bot(surface, slack) as bot:
        root = bot.ana.write("hello", "D0ANA")
        bot.ana.say("evaluate it", channel="D0ANA", thread_ts=root["ts"])
        bot.settle()
        asked = len(slack.calls("agents.sessions.setStatus"))
        worker = Worker(bot.surface, bot.surface.jobs.status("1"))
        worker.move("starting", "running")
        for done in (1, 2):
            worker.tell("progress", done=done, total=10, stage="evaluate")
            bot.surface.cards.tick(bot.app.client)
        worker.succeed(evaluation_result())
        bot.surface.cards.tick(bot.app.client)
        told = [call["status"] for call in slack.calls("agents.sessions.setStatus")[asked:]]

    assert told == ["processing", "active"]
