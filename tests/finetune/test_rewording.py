"""Rows in other words by a hosted model over real HTTP: what is sent, what is used, and what becomes of trouble."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from finetune.augment import augmented
from finetune.columns import Row
from finetune.data import register
from finetune.errors import WrongRewriter
from finetune.recipes import rewording
from finetune.recipes.api import Api
from finetune.recipes.job_dir import JobDir
from finetune.recipes.rewording import language_of, reworded
from finetune.recipes.tuning_plan import plan_tuning
from finetune.spec import Augmentation, Candidate, DatasetRef, TuningSpec
from tests.finetune import tiny_models as tiny
from tests.finetune.recipe_runs import job_folder, lines_of, result_of, run
from tests.openai_server import Payload, Server, openai_server

TRAIN = [
    Row(id="1", text="Where is my invoice of 12 March?", label="billing"),
    Row(id="2", text="It crashed after 30 seconds.", label="bug"),
    Row(id="3", text="Write to ana@example.org about my refund.", label="billing"),
]
HELD_OUT = [Row(id="9", text="The application stopped 30 seconds ago.", label="bug")]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-test")
    with openai_server() as running:
        yield running


@pytest.fixture(autouse=True)
def _asks_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(*args: Any, **more: Any) -> Api:
        return Api(*args, **more, timeout_s=1.0, retry_waits=False)

    monkeypatch.setattr(rewording, "Api", quick)


def spec(server: Server, *ways: Augmentation) -> TuningSpec:
    dataset = DatasetRef(name="d", sha256="0" * 64, rows=10, labels=("billing", "bug"))
    rewriter = Candidate(model="openai:m", base_url=server.url)
    return TuningSpec(base_model="m", dataset=dataset, augmentation=ways, rewriter=rewriter)


def job_on(folder: Path, made: TuningSpec) -> JobDir:
    return JobDir(job_folder(folder / "job", made, folder))


def asked(server: Server) -> list[str]:
    return sorted(chat["messages"][-1]["content"] for chat in server.chats)


def swapped(body: Payload) -> str:
    first, _, rest = body["messages"][-1]["content"].partition(" ")
    return f"{rest.rstrip('.?')}, {first.lower()}?"


def test_only_training_texts_without_personal_data_are_sent_and_labels_are_kept(
    server: Server, tmp_path: Path
) -> None:
    server.answers = swapped
    made = spec(server, "paraphrase")
    found = reworded(job_on(tmp_path, made), made, TRAIN, HELD_OUT)
    assert asked(server) == sorted(row.text for row in TRAIN[:2])
    assert {chat["key"] for chat in server.chats} == {"sk-of-the-test"}
    assert not [chat for chat in server.chats if "billing" in json.dumps(chat)]
    assert found.report is not None
    assert found.report["rows"] == {"paraphrase": {"used": 2, "personal data": 1}}
    rows = augmented(TRAIN, ["paraphrase"], seed=0, reworded=found.texts)
    new = rows.rows[len(TRAIN) :]
    assert rows.added == {"paraphrase": 2}
    assert [(row.text, row.label) for row in new] == [
        ("is my invoice of 12 March, where?", "billing"),
        ("crashed after 30 seconds, it?", "bug"),
    ]
    notes = [
        event["data"] for event in lines_of(tmp_path / "job" / "events.jsonl") if event["kind"] == "note"
    ]
    assert "sent to openai:m at 127.0.0.1" in notes[0]["en"]
    assert "发送给" in notes[0]["zh"]


@pytest.mark.parametrize(
    ("says", "problem"),
    [
        ("Where is my invoice?", "unusable"),  # 12 is gone
        ("12", "unusable"),  # far too short
        ("WHERE is my invoice of 12 March", "unchanged"),
        ("", "unusable"),
    ],
)
def test_what_does_not_say_the_same_is_not_learned_from(
    server: Server, tmp_path: Path, says: str, problem: str
) -> None:
    server.says = says
    made = spec(server, "paraphrase")
    found = reworded(job_on(tmp_path, made), made, TRAIN[:1], HELD_OUT)
    assert found.report is not None
    assert found.report["rows"]["paraphrase"] == {"used": 0, problem: 1}
    assert augmented(TRAIN[:1], ["paraphrase"], seed=0, reworded=found.texts).rows == tuple(TRAIN[:1])


def test_a_text_that_comes_close_to_a_held_out_one_is_not_learned_from(
    server: Server, tmp_path: Path
) -> None:
    server.says = "The application stopped, 30 seconds ago!"
    made = spec(server, "paraphrase")
    found = reworded(job_on(tmp_path, made), made, TRAIN[1:2], HELD_OUT)
    assert found.report is not None
    assert found.report["rows"]["paraphrase"] == {"used": 0, "held out": 1}


def test_an_answer_that_the_text_holds_must_stay_in_it(server: Server, tmp_path: Path) -> None:
    server.says = "The capital of France is which city?"
    row = Row(id="1", text="Which city, Paris or Rome, is the capital of France?", label="Paris")
    made = spec(server, "paraphrase")
    found = reworded(job_on(tmp_path, made), made, [row], [])
    assert found.report is not None
    assert found.report["rows"]["paraphrase"] == {"used": 0, "unusable": 1}


def test_a_refusal_and_a_server_that_fails_leave_the_rows_as_they_are(server: Server, tmp_path: Path) -> None:
    server.refusal = "No."
    made = spec(server, "paraphrase")
    refused = reworded(job_on(tmp_path / "a", made), made, TRAIN[:1], []).report
    assert refused is not None
    assert refused["rows"]["paraphrase"] == {"used": 0, "refused": 1}
    server.refusal, server.is_down = None, True
    rows = [Row(id=str(n), text=f"the {n}th row of these", label="bug") for n in range(20)]
    job = job_on(tmp_path / "b", made)
    failed = reworded(job, made, rows, [])
    assert failed.report is not None
    assert failed.report["rows"]["paraphrase"] == {"used": 0, "not answered": 8, "not asked": 12}
    assert "failed 5 times in a row" in failed.report["reason"]["en"]
    assert failed.texts == {"paraphrase": {}}


def test_a_slow_server_and_no_chat_answer_at_all_count_as_not_answered(
    server: Server, tmp_path: Path
) -> None:
    server.raw = b"<html>busy</html>"
    made = spec(server, "paraphrase")
    found = reworded(job_on(tmp_path, made), made, TRAIN[:1], []).report
    assert found is not None
    assert found["rows"]["paraphrase"] == {"used": 0, "not answered": 1}


def test_what_was_asked_for_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    """Neither what came nor what failed: a run that goes on must learn from the same rows."""
    server.answers = lambda body: swapped(body) if "12" in body["messages"][-1]["content"] else ""
    made = spec(server, "paraphrase")
    job = job_on(tmp_path, made)
    first = reworded(job, made, TRAIN[:2], [])
    server.is_down = True
    times = len(server.chats)
    assert reworded(job, made, TRAIN[:2], []) == first
    assert len(server.chats) == times


def test_back_translation_goes_to_another_language_and_back(server: Server, tmp_path: Path) -> None:
    def translate(body: Payload) -> str:
        instruction = body["messages"][0]["content"]
        return (
            "我3月12日的发票在哪里？"
            if "into Chinese" in instruction
            else "Where's the invoice from March 12?"
        )

    server.answers = translate
    made = spec(server, "back-translation")
    found = reworded(job_on(tmp_path, made), made, TRAIN[:1], [])
    assert found.texts == {"back-translation": {"1": "Where's the invoice from March 12?"}}
    assert [chat["messages"][-1]["content"] for chat in server.chats] == [
        TRAIN[0].text,
        "我3月12日的发票在哪里？",
    ]


def test_a_language_is_told_by_its_script() -> None:
    texts = ("Where is it?", "它在哪里？", "これはどこですか", "어디에 있나요", "Где это?")
    assert [language_of(text) for text in texts] == ["English", "Chinese", "Japanese", "Korean", "Russian"]


def test_rewording_needs_a_hosted_model_and_brings_its_key_alone(server: Server) -> None:
    assert spec(server, "paraphrase").key_names == ("OPENAI_API_KEY",)
    dataset = DatasetRef(name="d", sha256="0" * 64, rows=10, labels=("a", "b"))
    assert TuningSpec(base_model="m", dataset=dataset, augmentation=("edits",)).key_names == ()
    with pytest.raises(WrongRewriter, match="none is configured"):
        TuningSpec(base_model="m", dataset=dataset, augmentation=("paraphrase",))
    with pytest.raises(WrongRewriter, match="it is not hosted"):
        TuningSpec(
            base_model="m", dataset=dataset, augmentation=("paraphrase",), rewriter=Candidate(model="m")
        )


def test_a_fine_tune_with_paraphrases_says_whether_they_helped(server: Server, tmp_path: Path) -> None:
    """The whole recipe in its own process, which is tried with the added rows and without."""
    server.answers = swapped
    model = tiny.saved(tmp_path / "model", tiny.bare_encoder())
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(json.dumps(row) for row in tiny.rows_of(120)))
    made = spec(server, "paraphrase").model_copy(
        update={"base_model": str(model), "dataset": register(data, home=tmp_path), "batch_size": 16}
    )
    job = job_on(tmp_path, made)
    ended = run("lora", job.path)
    assert (ended.returncode, ended.stderr) == (0, "")
    result = result_of(job.path)
    report, effect = result["dataset"]["reworded"], result["search"]["augmentation"]
    assert report["rows"]["paraphrase"]["used"] == result["dataset"]["rows_added"]["paraphrase"] > 10
    assert [trial["settings"]["augmented"] for trial in result["search"]["trials"]] == [False, True]
    assert effect["is_used"] == (effect["loss_with"] < effect["loss_without"])
    assert result["hyperparameters"]["augmentation"] == (["paraphrase"] if effect["is_used"] else [])
    sent = set(asked(server))
    plan = plan_tuning(job, torch.device("cpu"))
    assert sent == {row.text for row in plan.train_rows}
    assert not sent & {row.text for row in (*plan.held_out_rows, *plan.validation_rows)}
