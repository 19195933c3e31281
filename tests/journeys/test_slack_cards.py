"""The job card in Slack: while the job runs, when it is over, after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert

from bot import progress
from bot.slack import CardPoller
from index.bilingual import Bilingual
from index.schema import deliveries
from skills.conversation.request import Turn
from tests.slack_bot import (
    MODEL,
    RunningBot,
    Worker,
    answer_to,
    candidate_row,
    evaluation,
    evaluation_result,
    launch,
    open_form,
    open_surface,
    running_bot,
    shown,
    tuning,
)
from tests.slack_person import Person
from tests.slack_server import Payload, SlackServer


def job_from_thread(surface: object, turn: Turn) -> object:
    """An answer that started a job, as the evaluate skill gives."""
    job = surface.jobs.submit(evaluation(), dedupe_key=turn.key, owner=turn.person, thread=turn.thread)  # type: ignore[attr-defined]
    return answer_to(turn, skill="evaluate", text="Queued.", jobs=(job.id,))


def test_job_that_a_conversation_starts_gets_a_card_in_its_thread(tmp_path: Path, slack: SlackServer) -> None:
    surface = open_surface(tmp_path)
    surface.reply.say = lambda turn: job_from_thread(surface, turn)  # type: ignore[attr-defined]

    with running_bot(surface, slack) as bot:
        question = bot.ana.mention("evaluate it on tickets")
        answer, card = bot.posts()

    assert answer["blocks"][0]["text"] == "Queued."
    assert "*Evaluation #1*" in shown(card)
    assert card["thread_ts"] == question["ts"]


def test_card_shows_progress_and_the_result_is_posted_once(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        (card,) = bot.posts()
        worker = Worker(bot.surface, bot.surface.jobs.status("1"))
        worker.move("starting", "running")
        worker.tell("candidate", **candidate_row(value=0.86))
        worker.tell("progress", done=200, total=824, stage="openai:gpt-4.1-mini", spent_usd=0.3)
        worker.tell("progress", done=210, total=824, stage="judge", spent_usd=0.1)
        worker.tell("progress", done=412, total=824, stage="openai:gpt-4.1-mini", spent_usd=0.42)
        bot.surface.cards.tick(bot.app.client)
        running = shown(card)
        worker.succeed(evaluation_result())
        bot.surface.cards.tick(bot.app.client)
        bot.surface.cards.tick(bot.app.client)
        _, result = bot.posts()

    assert "██████░░░░░░` 50%" in running
    assert "SmolLM2-135M-Instruct — accuracy 0.86 ± 0.04 (412 items)" in running
    assert "Hosted models have cost $0.52 so far" in running
    assert "Hosted models have cost" not in shown(card)
    assert "shortlist_cancel" in running
    assert "shortlist_cancel" not in shown(card)
    assert result["thread_ts"] == card["ts"]
    assert shown(result).count("<@U0ANA>") == 1
    assert len(slack.calls("chat.postMessage")) == 2


def test_card_of_a_waiting_job_follows_its_place_in_the_line(tmp_path: Path, slack: SlackServer) -> None:
    surface = open_surface(tmp_path)
    now_s = [0.0]
    surface.cards._waiting.clock = lambda: now_s[0]  # the seam: a minute passes
    ahead = [surface.jobs.submit(evaluation(), dedupe_key=key, owner="U0BO") for key in ("a", "b")]
    with running_bot(surface, slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        (card,) = bot.posts()
        at_first = shown(card)
        edits = len(slack.calls("chat.update"))
        bot.surface.cards.tick(bot.app.client)
        unchanged = len(slack.calls("chat.update")) - edits
        for job in ahead:
            surface.jobs.cancel(job.id)
        now_s[0] += 60
        bot.surface.cards.tick(bot.app.client)

    assert "queued · number 2 in the line" in at_first  # people take turns, so behind one of two
    assert unchanged == 0
    assert "queued · next in the line" in shown(card)


def test_result_is_posted_once_by_the_app_that_comes_after_a_restart(
    tmp_path: Path, slack: SlackServer
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        (card,) = bot.posts()
        worker = Worker(bot.surface, bot.surface.jobs.status("1"))
        worker.move("starting", "running")
    worker.surface = open_surface(tmp_path)
    worker.succeed(evaluation_result())
    worker.surface.engine.dispose()

    with running_bot(open_surface(tmp_path), slack) as bot:
        poller = CardPoller(bot.surface.cards, bot.app.client, interval_s=0.01)
        poller.start()
        slack.wait_for("chat.postMessage", 2)
        poller.stop()
        _, result = bot.posts()

    assert "done" in shown(card)
    assert result["thread_ts"] == card["ts"]
    assert len(slack.calls("chat.postMessage")) == 2


def test_result_that_slack_did_not_take_is_posted_at_the_next_round(
    tmp_path: Path, slack: SlackServer
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        bot.posts()
        worker = Worker(bot.surface, bot.surface.jobs.status("1"))
        worker.move("starting", "running")
        worker.succeed(evaluation_result())
        slack.workspace.refusals["chat.postMessage"] = ["fatal_error"]
        bot.surface.cards.tick(bot.app.client)
        refused = len(slack.calls("chat.postMessage"))
        bot.surface.cards.tick(bot.app.client)

    assert refused == 1
    assert len(slack.calls("chat.postMessage")) == 2


def test_result_that_a_killed_bot_was_posting_is_posted_by_the_next(
    tmp_path: Path, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_killed(*_: object) -> None:
        raise KeyboardInterrupt  # as a kill: nobody gives the claim back

    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        bot.posts()
        worker = Worker(bot.surface, bot.surface.jobs.status("1"))
        worker.move("starting", "running")
        worker.succeed(evaluation_result())
        with monkeypatch.context() as patch:
            patch.setattr(bot.surface.cards, "_result_message", be_killed)
            with pytest.raises(KeyboardInterrupt):
                bot.surface.cards.tick(bot.app.client)
        bot.surface.cards.tick(bot.app.client)
        before = len(slack.calls("chat.postMessage"))
        bot.surface.cards.reopen_untold()
        for _ in range(2):
            bot.surface.cards.tick(bot.app.client)

    assert before == 1
    assert len(slack.calls("chat.postMessage")) == 2


def a_result_with_files(folder: Path) -> dict[str, object]:
    """A result whose picture, report and tables lie in a folder."""
    folder.mkdir()
    names = ("report.html", "report.png", "answers.csv", "candidates.csv")
    for name in names:
        (folder / name).write_bytes(f"<{name}>".encode())
    report, chart, *tables = (str(folder / name) for name in names)
    return evaluation_result(report=report, chart=chart, csv=tables)


def finished_job(bot: RunningBot, result: dict[str, object]) -> Payload:
    """Start a job from the form, have it end with a result, and return its card."""
    launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
    (card,) = bot.posts()
    worker = Worker(bot.surface, bot.surface.jobs.status("1"))
    worker.move("starting", "running")
    worker.succeed(result)
    return card


def test_picture_report_and_tables_are_added_to_the_thread_once(tmp_path: Path, slack: SlackServer) -> None:
    result = a_result_with_files(tmp_path / "files")
    with running_bot(open_surface(tmp_path), slack) as bot:
        card = finished_job(bot, result)
        bot.surface.cards.tick(bot.app.client)
        bot.surface.cards.tick(bot.app.client)
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.surface.cards.tick(bot.app.client)

    (shared,) = slack.calls("files.completeUploadExternal")
    assert list(slack.workspace.files.values()) == [
        b"<report.png>", b"<report.html>", b"<answers.csv>", b"<candidates.csv>"
    ]  # fmt: skip
    assert (shared["channel_id"], shared["thread_ts"]) == ("C0TEAM", card["ts"])
    assert len(slack.calls("chat.postMessage")) == 2


def test_files_that_a_restart_came_between_are_uploaded_after_it(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        finished_job(bot, a_result_with_files(tmp_path / "files"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bot.surface.cards, "_share_files", lambda *_: None)  # the process ends here
            bot.surface.cards.tick(bot.app.client)
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.surface.cards.tick(bot.app.client)
        bot.surface.cards.tick(bot.app.client)

    assert len(slack.calls("files.completeUploadExternal")) == 1
    assert len(slack.calls("chat.postMessage")) == 2


def test_upload_that_fails_is_said_in_one_line(tmp_path: Path, slack: SlackServer) -> None:
    slack.workspace.refusals["files.getUploadURLExternal"] = ["missing_scope"]
    with running_bot(open_surface(tmp_path), slack) as bot:
        card = finished_job(bot, a_result_with_files(tmp_path / "files"))
        bot.surface.cards.tick(bot.app.client)
        bot.surface.cards.tick(bot.app.client)
        *_, told = bot.posts()

    assert "could not be uploaded (missing_scope)" in told["text"]
    assert "shortlist jobs show 1" in told["text"]
    assert told["thread_ts"] == card["ts"]
    assert len(slack.calls("chat.postMessage")) == 3


def test_upload_that_was_cut_off_is_not_done_twice_but_said(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        finished_job(bot, a_result_with_files(tmp_path / "files"))
        claimed = {"key": "files:1", "received_at_utc": "2026-01-01T00:00:00+00:00"}
        with bot.surface.engine.begin() as connection:
            connection.execute(insert(deliveries).values(claimed))
        bot.surface.cards.tick(bot.app.client)
        bot.surface.cards.tick(bot.app.client)
        *_, told = bot.posts()

    assert "I was stopped while uploading" in told["text"]
    assert slack.calls("files.completeUploadExternal") == []
    assert len(slack.calls("chat.postMessage")) == 3


def test_failed_upload_that_cannot_be_told_is_tried_again(tmp_path: Path, slack: SlackServer) -> None:
    slack.workspace.refusals["files.getUploadURLExternal"] = ["fatal_error"]
    with running_bot(open_surface(tmp_path), slack) as bot:
        finished_job(bot, a_result_with_files(tmp_path / "files"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(progress, "text_message", lambda _: 1 / 0)
            bot.surface.cards.tick(bot.app.client)
        bot.surface.cards.tick(bot.app.client)

    assert len(slack.calls("files.completeUploadExternal")) == 1
    assert len(slack.calls("chat.postMessage")) == 2


def test_files_that_are_gone_are_said_to_be(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        finished_job(bot, evaluation_result(report=str(tmp_path / "gone.html")))
        bot.surface.cards.tick(bot.app.client)
        *_, told = bot.posts()

    assert "Not all files of job 1" in told["text"]


def test_stop_button_stops_the_job_and_the_card_says_so(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        (card,) = bot.posts()
        bot.ana.press(card, "shortlist_cancel")
        bot.posts()
        state = bot.surface.jobs.status("1").state

    assert state == "cancelled"
    assert "stopped" in shown(card)


def test_stranger_may_not_stop_a_job_when_there_are_runners(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path, runners=frozenset({"U0ANA"})), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        (card,) = bot.posts()
        Person(slack, bot.port, id="U0BEN").press(card, "shortlist_cancel")
        (told,) = bot.told()
        state = bot.surface.jobs.status("1").state

    assert "<@U0ANA>" in told["text"]
    assert state == "queued"


def test_stranger_may_not_try_a_job_again_when_there_are_runners(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path, runners=frozenset({"U0ANA"})), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        (card,) = bot.posts()
        bot.ana.press(card, "shortlist_cancel")
        bot.settle()
        Person(slack, bot.port, id="U0BEN").press(card, "shortlist_retry")
        refusal = bot.told()[-1]
        jobs = bot.surface.jobs.list()

    assert "Nothing was started" in refusal["text"]
    assert len(jobs) == 1


def test_failed_job_says_why_and_can_be_tried_again(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        (card,) = bot.posts()
        worker = Worker(bot.surface, bot.surface.jobs.status("1"))
        reason = Bilingual(en="The GPU ran out of memory.", zh="显存不足。")
        worker.move("starting", "running")
        worker.move("failed", reason=reason)
        bot.surface.cards.tick(bot.app.client)
        result = bot.posts()[1]
        bot.ana.press(card, "shortlist_retry")
        bot.ana.press(card, "shortlist_retry")
        bot.settle()
        jobs = bot.surface.jobs.list()

    assert "The GPU ran out of memory." in shown(result)
    assert "The GPU ran out of memory." in shown(card)
    assert len(jobs) == 2
    assert len(slack.calls("chat.postMessage")) == 3


def test_logs_button_shows_what_the_job_printed(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        (card,) = bot.posts()
        folder = bot.surface.jobs.folder("1")
        folder.mkdir(parents=True)
        (folder / "log.txt").write_text("loading <weights>\n", encoding="utf-8")
        bot.ana.press(card, "shortlist_logs")
        bot.settle()
        view = slack.calls("views.open")[-1]["view"]

    assert "loading <weights>" in str(view["blocks"])


def test_card_goes_to_the_person_when_the_bot_is_not_in_the_channel(
    tmp_path: Path, slack: SlackServer
) -> None:
    slack.workspace.without_bot.add("G0SECRET")

    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets", channel="G0SECRET"))
        (card,) = bot.posts()

    assert card["channel"] == "D0ANA"


def test_follow_up_under_a_card_needs_no_mention(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        (card,) = bot.posts()
        bot.ana.say("how is it doing?", thread_ts=card["ts"])
        answer = bot.posts()[1]

    assert answer["thread_ts"] == card["ts"]


def test_jobs_command_lists_jobs_with_a_stop_button(tmp_path: Path, slack: SlackServer) -> None:
    surface = open_surface(tmp_path)
    surface.jobs.submit(evaluation(), dedupe_key="a", owner="U0ANA")
    surface.jobs.submit(tuning(), dedupe_key="b", owner="U0BEN")
    surface.jobs.cancel("1")

    with running_bot(surface, slack) as bot:
        bot.ana.command("/jobs")
        (told,) = bot.told()

    rows = [block for block in told["blocks"] if "#" in str(block)]
    assert ["#2" in str(rows[0]), "#1" in str(rows[1])] == [True, True]
    assert ["accessory" in row for row in rows] == [True, False]
