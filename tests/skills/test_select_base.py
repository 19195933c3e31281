"""Choosing a base in a conversation: what is understood, what is begun, and what is told afterwards."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from finetune.selections import Selection
from finetune.spec import TuningSpec
from index.schema import jobs as jobs_table
from skills.base_selection.picture import curves_picture
from skills.base_selection.report import record_markdown, selection_markdown
from skills.conversation.answer import Answer
from skills.conversation.parse.base_choice import budget_s, is_about_bases
from skills.conversation.request import Turn
from skills.desk import Desk
from skills.pipeline import reply

SMOL, QWEN = "HuggingFaceTB/SmolLM2-135M-Instruct", "Qwen/Qwen2.5-0.5B-Instruct"
ASK = "Which base should we fine-tune on tickets: SmolLM2-135M-Instruct or Qwen2.5-0.5B-Instruct? At most 2 GPU hours."


@pytest.mark.parametrize(
    "text",
    [
        "which base should we fine-tune for our tickets?",
        "Which base model will be best once tuned on tickets.csv?",
        "what is the best base to fine-tune?",
        "哪个底座微调后最好？",
        "用 tickets 数据，哪个基座微调后最好",
        "微调哪个底座好？",
        "How is selection 3?",
        "选型 3 怎么样了？",
        "how good were your predictions?",
        "预测准吗？",
    ],
)
def test_questions_about_bases_are_known(text: str) -> None:
    assert is_about_bases(text)


@pytest.mark.parametrize(
    "text",
    [
        "which model is best for fine-tuning?",
        "fine-tune the first one on tickets.csv",
        "那就在 tickets.csv 上微调第一个",
        "what is a base model?",
        "which model for summarisation?",
        "does fine-tuning help?",
        "微调前后比较一下",
    ],
)
def test_other_questions_are_left_to_other_skills(text: str) -> None:
    assert not is_about_bases(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("within 2 GPU hours", 7200),
        ("at most 30 minutes", 1800),
        ("1.5 小时以内", 5400),
        ("on tickets", None),
    ],
)
def test_the_budget_is_read_in_both_languages(text: str, seconds: float | None) -> None:
    assert budget_s(text) == seconds


def _say(desk: Desk, text: str, key: str | None = None) -> Answer:
    return reply(Turn(text=text, thread="t", person="ana", key=key), desk)


def _finish(desk: Desk, race: Selection, losses: dict[str, float]) -> Selection:
    """End the runs that wait as a worker does; each halving of what is left to lose is a doubling of the rows."""
    while not (race := desk.selections.find(race.id)).is_finished:
        for run in race.runs:
            if not run.job.is_finished:
                assert isinstance(run.job.spec, TuningSpec)
                _succeed(desk, run.job.id, losses[run.candidate] * run.size**-0.3 + 0.2, run.size)
        desk.selections.advance_all()
    return race


def _succeed(desk: Desk, job_id: str, loss: float, rows: int) -> None:
    folder = desk.jobs.folder(job_id)
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps({"held_out_loss": {"value": loss}, "train_s": rows / 10}))
    with desk.engine.begin() as connection:
        row = update(jobs_table).where(jobs_table.c.id == int(job_id))
        connection.execute(row.values(state="succeeded", ran_s=rows / 10 + 1))


@pytest.fixture
def race(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Selection:
    """A race of two bases that have not begun to learn; nothing is looked up on the hub, and no worker starts."""
    monkeypatch.setattr("finetune.jobs._with_known_models", lambda spec, *_, **__: spec)
    monkeypatch.setattr(desk.jobs, "ensure_worker", lambda: None)
    answer = _say(desk, ASK, key="k")
    assert answer.skill == "select-base"
    return desk.selections.find("1")


def test_a_question_begins_a_race_of_ordinary_jobs_within_the_budget(race: Selection, desk: Desk) -> None:
    assert race.spec.budget_s == 7200
    assert race.spec.names == (SMOL, QWEN)
    assert (race.owner, race.thread) == ("ana", "t")
    assert [job.state for job in desk.jobs.list()] == ["queued", "queued"]


def test_the_same_message_twice_begins_one_race(race: Selection, desk: Desk) -> None:
    again = _say(desk, ASK, key="k")
    assert f"**Selection {race.id}**" in again.text
    assert len(desk.selections.newest()) == 1


def test_progress_is_told_when_asked_with_buttons(race: Selection, desk: Desk) -> None:
    answer = _say(desk, f"How is selection {race.id}?")
    assert "0 of 2 runs done" in answer.text
    assert [action.value["say"] for action in answer.actions] == [
        f"How is selection {race.id}?",
        f"Stop selection {race.id}",
    ]
    assert "正在" in _say(desk, f"选型 {race.id} 怎么样了？").text


def test_stopping_it_stops_its_runs(race: Selection, desk: Desk) -> None:
    assert "was stopped" in _say(desk, f"Stop selection {race.id}").text
    assert {job.state for job in desk.jobs.list()} == {"cancelled"}


def test_the_end_names_the_base_the_interval_the_saving_and_the_button(race: Selection, desk: Desk) -> None:
    _finish(desk, race, {SMOL: 4.0, QWEN: 9.0})
    answer = _say(desk, f"How is selection {race.id}?")
    assert answer.text.startswith("**SmolLM2-135M-Instruct** is the base to fine-tune")
    assert "Predicted loss" in answer.text
    assert "tuning all in full would take about" in answer.text
    (button,) = answer.actions
    assert button.label == "Tune it in full"
    started = _say(desk, button.value["say"])
    assert "SmolLM2-135M-Instruct" in started.text
    assert len(started.jobs) == 1


def test_what_came_true_stands_in_the_record_of_predictions(race: Selection, desk: Desk) -> None:
    assert "No predictions yet" in _say(desk, "show me the record of predictions").text
    _finish(desk, race, {SMOL: 4.0, QWEN: 9.0})
    full = desk.selections.tune_in_full(race.id)
    if not full.is_finished:
        _succeed(desk, full.id, 4.0 * race.spec.target**-0.3 + 0.2, race.spec.target)
    record = _say(desk, "how good were your predictions?").text
    assert record.startswith("1 predictions, 1 of them tuned in full since")
    assert "| 1 | tickets | SmolLM2-135M-Instruct |" in record
    assert "共 1 次预测" in record_markdown(desk.selections.newest(), "zh")
    assert "实际结果" in selection_markdown(desk.selections.find(race.id), "zh")


def test_the_curves_are_a_picture_at_any_stage(race: Selection, desk: Desk) -> None:
    assert curves_picture(race).startswith(b"\x89PNG")
    assert len(curves_picture(_finish(desk, race, {SMOL: 4.0, QWEN: 9.0}))) > 10_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("which base should we fine-tune on tickets?", "Which bases?"),
        ("哪个底座微调后最好？", "比较哪些底座"),
        (f"which base should we fine-tune: {SMOL} or {QWEN}?", "On which data?"),
    ],
)
def test_what_is_missing_is_asked_for(desk: Desk, text: str, said: str) -> None:
    assert said in _say(desk, text).text
