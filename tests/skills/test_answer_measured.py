"""What was measured here: by job, newest first, of the time, the model and the data set that are named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from index import measurements
from index.records import Measurement
from skills.desk import Desk
from tests.skills.conftest import Ask

SMOLLM = "HuggingFaceTB/SmolLM2-135M-Instruct"
QWEN = "Qwen/Qwen3-8B"


def measured(job_id: str, model_id: str, day: str, **changed: Any) -> Measurement:
    values: dict[str, Any] = {
        "job_id": job_id,
        "model_id": model_id,
        "quantization": "none",
        "task": "classification",
        "metric": "accuracy",
        "value": 0.84,
        "ci95_low": 0.8,
        "ci95_high": 0.88,
        "n_items": 412,
        "dataset_name": "tickets",
        "dataset_sha256": "0" * 64,
        "device": "NVIDIA H200",
        "environment": {},
        "created_at_utc": f"{day}T10:00:00.000+00:00",
    }
    return Measurement(**values | changed)


@pytest.fixture
def ask_later(desk: Desk, ask: Ask) -> Ask:
    """The desk on Wednesday, 14 January 2026, after three jobs."""
    desk.clock = lambda: datetime(2026, 1, 14, 12, tzinfo=UTC)
    rows = [
        measured("3", SMOLLM, "2025-12-20", value=0.41, ci95_low=0.36, ci95_high=0.46),
        measured("5", QWEN, "2026-01-07", quantization="int8", value=0.86),
        measured("7", SMOLLM, "2026-01-13", adapter="job-7", value=0.79, ci95_low=0.75, ci95_high=0.83),
        measured("8", QWEN, "2026-01-14", dataset_name="reviews.csv", value=0.91),
    ]
    measurements.record(desk.engine, rows)
    return ask


def test_all_is_told_by_job_newest_first(ask_later: Ask) -> None:
    answer = ask_later("what have we measured so far")
    assert answer.skill == "answer"
    assert answer.text.startswith("Measured here, newest first:")
    assert answer.jobs == ("8", "7", "5", "3")
    assert "**2026-01-13 · tickets · job 7** · NVIDIA H200" in answer.text
    assert "- SmolLM2-135M-Instruct + job-7, 16-bit: accuracy 0.79 (95% 0.75–0.83, n = 412)" in answer.text


@pytest.mark.parametrize(
    ("text", "jobs"),
    [
        ("what did we measure last week", ("5",)),
        ("我们上周测了什么", ("5",)),
        ("what was tested yesterday", ("7",)),
        ("what did we evaluate since 2026-01-07?", ("8", "7", "5")),
        ("list the measurements of the last 7 days", ("8", "7", "5")),
        ("上个月的评测结果", ("3",)),
        ("our results for Qwen3-8B", ("8", "5")),
        ("have we evaluated Qwen3-8B", ("8", "5")),
        ("how did smollm2 do on tickets", ("7", "3")),
        ("smollm2 在 tickets 上测得多少", ("7", "3")),
        ("how did Qwen3-8B do on reviews", ("8",)),
        ("我们测过哪些模型", ("8", "7", "5", "3")),
    ],
)
def test_the_time_the_model_and_the_data_set_are_heeded(
    ask_later: Ask, text: str, jobs: tuple[str, ...]
) -> None:
    answer = ask_later(text)
    assert answer.skill == "answer"
    assert answer.jobs == jobs


def test_another_time_is_asked_of_the_same_model(ask_later: Ask) -> None:
    assert ask_later("what did we measure for smollm2 yesterday").jobs == ("7",)
    assert ask_later("and last month?").jobs == ("3",)


def test_ten_lines_and_then_how_many_more(desk: Desk, ask: Ask) -> None:
    rows = [measured(str(job), SMOLLM, f"2026-01-{job:02}") for job in range(1, 14)]
    measurements.record(desk.engine, rows)
    answer = ask("what have we measured so far")
    assert len(answer.jobs) == 10
    assert "… and 3 more." in answer.text


def test_where_there_is_none_the_newest_is_told_and_how_to_start(ask_later: Ask) -> None:
    text = ask_later("how did phi-4 do on tickets").text
    assert text.startswith("Nothing was measured here of phi-4 on tickets.")
    assert "job 8" in text
    assert "evaluate … on …" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [("what have we measured so far", "Nothing has been measured"), ("我们测过什么", "评测")],
)
def test_before_the_first_measurement_it_says_how_to_start(ask: Ask, text: str, said: str) -> None:
    answer = ask(text)
    assert answer.skill == "answer"
    assert said in answer.text


def test_a_card_tells_what_was_measured_here(ask_later: Ask) -> None:
    assert "Measured here: Qwen3-8B" in ask_later("tell me about Qwen3-8B").text


@pytest.mark.parametrize("text", ["our Q3 results", "what was our Q3 revenue?", "how is my job doing"])
def test_other_questions_stay_what_they_are(ask_later: Ask, text: str) -> None:
    assert ask_later(text).skill in ("decline", "jobs")
