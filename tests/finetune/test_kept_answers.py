"""Answers that are kept for later jobs: what tells them apart, and what a crash or a second writer may do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from finetune.columns import Row
from finetune.recipes.answer_key import answer_key
from finetune.recipes.contestants import Contestant, Task
from finetune.recipes.job_dir import JobDir
from finetune.recipes.kept_answers import KeptAnswers, drop_oldest, folder_of, row_key
from finetune.spec import Candidate, DatasetRef, EvaluationSpec

KEY = {"weights": "abc", "task": "generation"}


def line(row: str, prediction: str = "yes") -> dict[str, Any]:
    return {"row": row, "prediction": prediction, "tokens": 3, "busy_s": 0.5}


def test_what_is_added_is_read_back_under_the_same_key_only(tmp_path: Path) -> None:
    KeptAnswers(tmp_path, KEY).add([line("1"), line("2")])
    assert set(KeptAnswers(tmp_path, dict(reversed(KEY.items()))).read()) == {"1", "2"}
    assert KeptAnswers(tmp_path, {**KEY, "weights": "other"}).read() == {}


def test_a_torn_line_is_skipped_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path, KEY)
    kept.add([line("1")])
    (file,) = folder_of(tmp_path).rglob("answers.jsonl")
    with file.open("a", encoding="utf-8") as torn:
        torn.write('{"row": "2", "predic')
    kept.add([line("3")])
    assert set(kept.read()) == {"1", "3"}


def test_two_writers_do_not_mix_and_the_later_answer_counts(tmp_path: Path) -> None:
    one, other = KeptAnswers(tmp_path, KEY), KeptAnswers(tmp_path, KEY)
    for number in range(50):
        one.add([line(f"a{number}", "x" * 500)])
        other.add([line(f"b{number}", "y" * 500)])
    other.add([line("a0", "later")])
    assert len(one.read()) == 100
    assert one.read()["a0"]["prediction"] == "later"


def test_the_folders_that_were_not_used_for_longest_go_first(tmp_path: Path) -> None:
    stores = [KeptAnswers(tmp_path, {"weights": str(number)}) for number in range(3)]
    for number, store in enumerate(stores):
        store.add([line("1", "x" * 1000)])
        os.utime(store._folder, (number, number))
    stores[0].read()
    drop_oldest(tmp_path, most_bytes=2500)
    assert [bool(store.read()) for store in stores] == [True, False, True]
    drop_oldest(tmp_path / "no-such-home")


def test_a_row_is_known_by_what_it_asks_and_not_by_what_is_right() -> None:
    row = Row(id="1", text="who?", label="Ann")
    assert row_key(row) == row_key(Row(id="7", text="who?", label="Bob"))
    assert row_key(row) != row_key(Row(id="1", text="who?", label="Ann", choices=("Ann", "Bob")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    save_file({"weights": np.zeros(3, dtype=np.float32)}, tmp_path / "model.safetensors")
    return tmp_path


def spec(**more: Any) -> EvaluationSpec:
    dataset = DatasetRef(name="rows", sha256="0" * 64, rows=10, labels=("a", "b"))
    return EvaluationSpec(candidates=(Candidate(model="m"),), dataset=dataset, **more)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder, _: save_file({"weights": np.ones(3, dtype=np.float32)}, folder / "model.safetensors"),
        lambda folder, _: (folder / "chat_template.jinja").write_text("{{ messages }}"),
        lambda folder, _: (folder / "tokenizer.json").write_text("{}"),
        lambda _, given: given.update(quantization="int8"),
        lambda _, given: given.update(spec=spec(instruction="Be brief.")),
        lambda _, given: given.update(spec=spec(max_new_tokens=5)),
        lambda _, given: given.update(shots=(("text", "label"),)),
    ],
)
def test_everything_that_determines_an_answer_is_in_its_key(
    folder: Path, change: Callable[[Path, dict[str, Any]], Any]
) -> None:
    given: dict[str, Any] = {"quantization": "none", "spec": spec(), "shots": ()}

    def key() -> dict[str, Any] | None:
        candidate = Candidate(model=str(folder), quantization=given["quantization"])
        return answer_key(candidate, given["spec"], given["shots"])

    before = key()
    assert before == key()
    change(folder, given)
    assert key() != before


def test_what_does_not_determine_an_answer_is_not(folder: Path) -> None:
    candidate = Candidate(model=str(folder))
    more = spec(limit=5, seed=3, full=True, metric="f1_macro", delta=0.1, fresh=True)
    assert answer_key(candidate, spec(), ()) == answer_key(candidate, more, ())


ROWS = (Row(id="1", text="one", label="a"), Row(id="2", text="two", label="b", group="g"))


def contestant(home: Path, given: EvaluationSpec, folder: Path) -> Contestant:
    of_job = home / "job"
    of_job.mkdir()
    (of_job / "context.json").write_text(f'{{"home": "{home}"}}', encoding="utf-8")
    (of_job / "candidates").mkdir()
    task = Task(spec=given, rows=ROWS, shots=(), left_out=0, names=("m",), metric="accuracy")
    candidate = Candidate(model=str(folder))
    kept = KeptAnswers(home, answer_key(candidate, given, ()) or {})
    kept.add([{**line(row_key(ROWS[0]), "a"), "from_a_newer_version": 1}, line(row_key(ROWS[1]), "a")])
    kept.keep_measured({"peak_memory_gib": 0.5, "load_time_s": 2.0})
    return Contestant(JobDir(of_job), task, 0)


def with_model(folder: Path, **more: Any) -> EvaluationSpec:
    return spec(**more).model_copy(update={"candidates": (Candidate(model=str(folder)),)})


def test_a_candidate_that_was_asked_all_of_it_starts_no_process_and_is_scored_anew(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Contestant, "_start", lambda _: pytest.fail("a process was started"))
    known = contestant(tmp_path_factory.mktemp("home"), with_model(folder), folder)
    known.answer(ROWS, 0)
    assert [(answer.correct, answer.is_cached, answer.group) for answer in known.answers] == [
        (True, True, None),
        (False, True, "g"),
    ]
    assert known.measured["peak_memory_gib"] == 0.5
    known.answer(ROWS, 2)
    assert len(known.answers) == 2


def test_one_who_wants_it_fresh_gets_a_process(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Started(Exception):
        """The process that would answer."""

    def start(_: Contestant) -> None:
        raise Started

    monkeypatch.setattr(Contestant, "_start", start)
    with pytest.raises(Started):
        contestant(tmp_path_factory.mktemp("home"), with_model(folder, fresh=True), folder).answer(ROWS, 0)
