"""Jobs in words: the line, devices, time spent, priorities, and rows that cannot be read."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from finetune.spec import Candidate, DatasetRef, EvaluationSpec
from index.errors import BadInput
from index.schema import jobs as jobs_table
from skills.desk import Desk
from tests.skills.conftest import Ask

SPEC = EvaluationSpec(
    candidates=(Candidate(model="smollm2"),), dataset=DatasetRef(name="tickets", sha256="0" * 64, rows=12)
)


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """Three jobs of two people wait."""
    for key, owner in (("a", "ana"), ("b", "ana"), ("c", "bo")):
        desk.jobs.submit(SPEC, dedupe_key=key, owner=owner)
    return desk


def test_the_list_says_where_each_job_stands_in_the_line(ask: Ask, desk: Desk) -> None:
    english, chinese = ask("what's in the queue?", "a"), ask("队列里有什么？", "b")

    assert (english.skill, english.jobs) == ("jobs", ("3", "2", "1"))
    assert "number 3 in the line" in english.text
    assert "排在第 3 位" in chinese.text
    assert len(desk.jobs.list()) == 3


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("who is using the GPU?", "No worker is running"),
        ("谁在用 GPU？", "没有 worker 在运行"),
        ("how much GPU time did we spend?", "ana: 2.0 h, 1 job"),
        ("我们用了多少 GPU 时间？", "ana：2.0 小时，1 个任务"),
    ],
)
def test_devices_and_time_spent_are_told(ask: Ask, desk: Desk, question: str, said: str) -> None:
    with desk.engine.begin() as connection:
        connection.execute(update(jobs_table).where(jobs_table.c.id == 1).values(ran_s=7200.0))

    answer = ask(question)

    assert answer.skill == "jobs"
    assert said in answer.text


@pytest.mark.parametrize(
    ("words", "said"), [("prioritise job 2", "next in the line"), ("优先任务 2", "下一个就是它")]
)
def test_a_job_is_let_go_first_in_words(ask: Ask, desk: Desk, words: str, said: str) -> None:
    assert said in ask(words).text
    assert desk.jobs.status("2").priority == 1


def test_one_job_is_told_with_its_place(ask: Ask) -> None:
    assert "number 3 in the line" in ask("how is job 2 doing?").text


def test_a_row_that_somebody_broke_is_named_beside_the_others(ask: Ask, desk: Desk) -> None:
    with desk.engine.begin() as connection:
        connection.execute(update(jobs_table).where(jobs_table.c.id == 2).values(state="asleep"))

    text = ask("list my jobs").text

    assert "Job 2 cannot be read from the store" in text
    assert "Evaluation #3" in text


def fail(desk: Desk, job_id: str) -> None:
    with desk.engine.begin() as connection:
        connection.execute(update(jobs_table).where(jobs_table.c.id == int(job_id)).values(state="failed"))


@pytest.mark.parametrize(
    ("words", "label", "command"),
    [
        ("retry job 1", "Run job 1 again", "`shortlist jobs retry 1`"),
        ("重跑任务 1", "重跑任务 1", "`shortlist jobs retry 1`"),
        ("please run job 1 again", "Run job 1 again", "`shortlist jobs retry 1`"),
        ("reproduce job 1", "Reproduce job 1", "`shortlist jobs repeat 1 --set fresh=true`"),
        ("复现任务 1", "复现任务 1", "`shortlist jobs repeat 1 --set fresh=true`"),
    ],
)
def test_a_job_is_run_again_by_a_button_or_a_command_never_by_words(
    ask: Ask, desk: Desk, words: str, label: str, command: str
) -> None:
    fail(desk, "1")

    answer = ask(words)

    [action] = answer.actions
    assert (answer.skill, answer.jobs, action.label, action.value) == ("jobs", ("1",), label, {"job_id": "1"})
    assert command in answer.text
    assert len(desk.jobs.list()) == 3


def test_a_job_that_has_not_ended_cannot_be_tried_again_but_stopped(ask: Ask) -> None:
    answer = ask("retry job 2")

    assert "has not ended yet" in answer.text
    assert [(action.id, action.value) for action in answer.actions] == [("cancel", {"job_id": "2"})]


def test_the_job_of_the_thread_is_meant_by_it(ask: Ask, desk: Desk) -> None:
    fail(desk, "2")
    ask("how is job 2 doing?")

    assert [action.label for action in ask("retry it").actions] == ["Run job 2 again"]


@pytest.mark.parametrize(
    "words", ["should I cancel job 1?", "能不能取消任务 1？", "cancel job 1 and job 2", "stop my job"]
)
def test_stopping_that_is_only_wondered_at_or_not_clear_is_offered(ask: Ask, desk: Desk, words: str) -> None:
    answer = ask(words)

    assert {action.id for action in answer.actions} == {"cancel"}
    assert {job.state for job in desk.jobs.list()} == {"queued"}


def test_an_order_that_fits_no_job_of_the_person_is_answered_with_the_list(ask: Ask) -> None:
    answer = ask("retry my job")

    assert answer.text.startswith("No job of yours failed or was stopped.")
    assert "Evaluation #3" in answer.text


@pytest.mark.parametrize(
    "words", ["don't cancel job 1", "不要取消任务 1", "任务 1 取消了吗？", "where did job 1 end?"]
)
def test_who_asks_about_a_stop_or_forbids_it_stops_nothing(ask: Ask, desk: Desk, words: str) -> None:
    answer = ask(words)

    assert (answer.jobs, answer.actions) == (("1",), ())
    assert desk.jobs.status("1").state == "queued"


def test_cancelling_twice_is_answered_both_times(ask: Ask) -> None:
    assert "stopped" in ask("cancel job 1", "a").text
    with pytest.raises(BadInput, match="Job 1 was cancelled"):
        ask("cancel job 1", "b")
