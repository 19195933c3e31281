from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.render.cards import card, duration, progress_of, result_message
from finetune.state import EventKind, Job, JobEvent, Outlook
from index.bilingual import Bilingual
from tests.slack_bot import candidate_row, evaluation, tuning

STARTED = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def events(*told: tuple[EventKind, dict[str, Any]]) -> list[JobEvent]:
    return [
        JobEvent(id=number, job_id="42", kind=kind, data=data, at_utc="")
        for number, (kind, data) in enumerate(told, start=1)
    ]


def a_job(**more: Any) -> Job:
    values = {"id": "42", "spec": evaluation(), "owner": "U0ANA", "thread": None, "state": "running", **more}
    return Job(started_at_utc=STARTED.isoformat(), **values)


def shown(job: Job, *told: tuple[EventKind, dict[str, Any]], outlook: Outlook | None = None) -> str:
    message = card(job, events(*told), owner="Ana", outlook=outlook, language="en")
    return "\n".join(str(block) for block in message.blocks)


def test_card_says_what_runs_and_who_started_it() -> None:
    text = shown(a_job())

    assert "*Evaluation #42* · 2 candidates · tickets (412 rows) · accuracy · started by Ana" in text


def test_card_does_not_mention_anybody() -> None:
    assert "<@" not in shown(a_job())


def test_bar_and_time_left_follow_the_work_that_is_done() -> None:
    outlook = Outlook(done_frac=0.25, left_s=360)
    text = shown(a_job(), ("progress", {"done": 25, "total": 100, "stage": "evaluate"}), outlook=outlook)

    assert "`███░░░░░░░░░` 25% · about 6 min left · running" in text


def test_waiting_job_shows_its_place_and_when_it_may_begin() -> None:
    text = shown(a_job(state="queued"), outlook=Outlook(position=3, starts_in_s=1200))

    assert "queued · number 3 in the line · begins in about 20 min" in text


def test_candidates_are_shown_as_they_finish() -> None:
    text = shown(
        a_job(),
        ("candidate", candidate_row(value=0.84)),
        ("candidate", candidate_row(quantization="int8", stopped="eliminated", items_seen=125)),
        ("candidate", candidate_row(quantization="nf4", stopped="failed", metrics={})),
    )

    assert "SmolLM2-135M-Instruct — accuracy 0.84 ± 0.04 (412 items)" in text
    assert "SmolLM2-135M-Instruct int8 — dropped after 125 items" in text
    assert "SmolLM2-135M-Instruct nf4 — could not be measured" in text


def test_loss_so_far_is_shown_with_the_last_held_out_loss() -> None:
    text = shown(
        a_job(spec=tuning()),
        ("loss", {"step": 10, "train": 2.0, "eval": 1.9}),
        ("loss", {"step": 20, "train": 1.25, "eval": None}),
    )

    assert "step 20 · training loss 1.250 · held-out loss 1.900" in text


def test_new_attempt_counts_from_the_beginning() -> None:
    progress = progress_of(
        events(
            ("progress", {"done": 90, "total": 100, "stage": "evaluate"}),
            ("candidate", candidate_row()),
            ("state", {"state": "starting"}),
            ("progress", {"done": 1, "total": 100, "stage": "evaluate"}),
        )
    )

    assert (progress.done, progress.candidates) == (1, ())


def test_latest_note_is_shown_in_the_language_of_the_card() -> None:
    job = a_job()
    note = ("note", {"en": "Loading the model.", "zh": "正在加载模型。"})

    message = card(job, events(note), owner="Ana", language="zh")

    assert "正在加载模型。" in str(message.blocks)


def test_failed_job_shows_its_reason_and_can_be_tried_again() -> None:
    text = shown(a_job(state="failed", reason=Bilingual(en="Out of memory.", zh="内存不足。")))

    assert "Out of memory." in text
    assert "shortlist_retry" in text
    assert "shortlist_cancel" not in text


def test_finished_job_says_how_long_it_took() -> None:
    job = a_job(state="succeeded", ended_at_utc=(STARTED + timedelta(minutes=12)).isoformat())

    assert "took 12 min" in shown(job)


def test_names_from_data_cannot_notify_anybody() -> None:
    job = a_job(reason=Bilingual(en="<!channel>", zh="<!channel>"), state="failed")

    message = card(job, [], owner="<!here>", language="en")

    assert "<!" not in str(message.arguments())


def test_name_given_at_a_terminal_cannot_notify_anybody_either() -> None:
    job = a_job(owner="<!channel>", state="cancelled")

    message = result_message(job, {"job_id": "42", "state": "cancelled", "reason": None}, language="en")

    assert "<!" not in str(message.arguments())


def test_durations_have_one_rounded_unit() -> None:
    assert [duration(seconds, "en") for seconds in (45, 360, 7_200, 9_000)] == [
        "45 s",
        "6 min",
        "2.0 h",
        "2.5 h",
    ]
