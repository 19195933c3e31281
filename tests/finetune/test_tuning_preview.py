"""What is shown before a fine-tune, for data of every shape, with what is wrong in it by row."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from finetune.data import describe, register
from finetune.jobs import Jobs
from finetune.recipes.job_dir import JobDir
from finetune.recipes.preview import need_of, preview_of, tell
from finetune.recipes.tuning_plan import plan_tuning
from finetune.spec import DatasetTask, TuningSpec
from finetune.tuning_preview import TuningPreview, read_preview
from index.errors import BadInput
from index.store import open_store, sqlite_url
from tests.finetune import tiny_models as tiny
from tests.finetune.recipe_runs import job_folder, lines_of

TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }} </s> {% endfor %}"
    "{% if add_generation_prompt %}green {% endif %}"
)
Row = dict[str, Any]
ROWS = [(row["text"], f"say it again {row['label']} {number}") for number, row in enumerate(tiny.rows_of(40))]


@pytest.fixture(scope="module")
def chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.saved(tmp_path_factory.mktemp("chat") / "model", tiny.causal(), template="")
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


@pytest.fixture(scope="module")
def plain_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.saved(tmp_path_factory.mktemp("plain") / "model", tiny.causal(), template="")


def as_jsonl(folder: Path, rows: list[Row]) -> Path:
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder / "rows.jsonl"


def as_json(folder: Path, rows: list[Row]) -> Path:
    (folder / "rows.json").write_text(json.dumps(rows))
    return folder / "rows.json"


def as_csv(folder: Path, rows: list[Row]) -> Path:
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder / "rows.csv"


def as_parquet(folder: Path, rows: list[Row]) -> Path:
    parquet.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")
    return folder / "rows.parquet"


def preview_for(
    folder: Path, model: Path, file: Path, task: DatasetTask | None = None, **settings: Any
) -> TuningPreview:
    spec = TuningSpec(base_model=str(model), dataset=register(file, home=folder, task=task), **settings)
    number = len(list(folder.iterdir()))
    job = JobDir(job_folder(folder / f"job-{number}", spec, folder))
    plan = plan_tuning(job, torch.device("cpu"))
    return preview_of(plan, need_of(plan))


def english(found: TuningPreview) -> str:
    return "\n".join(line.en for line in found.lines())


SHAPES: dict[str, Callable[[str, str], Row]] = {
    "text": lambda text, answer: {"text": text, "answer": answer},
    "prompt": lambda text, answer: {"prompt": text, "completion": answer},
    "alpaca": lambda text, answer: {"instruction": text, "input": "", "output": answer},
    "messages": lambda text, answer: {
        "messages": [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
    },
    "sharegpt": lambda text, answer: {
        "conversations": [{"from": "human", "value": text}, {"from": "gpt", "value": answer}]
    },
}


@pytest.mark.parametrize(
    ("shape", "write"),
    [
        ("text", as_csv),
        ("prompt", as_csv),
        ("prompt", as_parquet),
        ("alpaca", as_json),
        ("messages", as_jsonl),
        ("messages", as_csv),
        ("messages", as_parquet),
        ("sharegpt", as_jsonl),
        ("sharegpt", as_parquet),
    ],
)
def test_every_shape_in_every_file_learns_the_answer_alone(
    chat_model: Path, tmp_path: Path, shape: str, write: Callable[..., Path]
) -> None:
    rows = [SHAPES[shape](text, answer) for text, answer in ROWS]
    if write is as_csv:
        rows = [{k: v if isinstance(v, str) else json.dumps(v) for k, v in row.items()} for row in rows]
    found = preview_for(tmp_path, chat_model, write(tmp_path, rows), "generation")
    sample = found.dataset["sample"]
    assert sample["read"].rstrip().endswith("green")
    assert sample["learned"].startswith("say it again")
    assert sample["learned"].rstrip().endswith("</s>")
    assert "say it again" not in sample["read"]
    data = found.dataset
    used = data["rows_trained"] + data["rows_held_out"] + data["rows_validation"] + data["rows_similar"]
    assert used == len(ROWS)
    assert f"⟦{sample['learned'][:12]}" in english(found)


def test_what_is_left_out_is_told_by_row_and_nothing_is_cut(chat_model: Path, tmp_path: Path) -> None:
    rows = [{"text": text, "label": tiny.LABELS[number % 3]} for number, (text, _) in enumerate(ROWS)]
    rows[4]["text"] = " ".join([rows[4]["text"]] * 60)
    rows[6]["label"] = ""
    rows[9]["text"] = f"call me at jane.doe@example.com about {rows[9]['text']}"
    rows.append(dict(rows[0]))
    file = as_jsonl(tmp_path, rows)
    ref = register(file, home=tmp_path)
    before = "\n".join(line.en for line in describe(ref, home=tmp_path).lines())
    assert "left out 1 without an answer (row 7)" in before.lower()
    assert "1 repeated rows are kept once" in before
    found = preview_for(tmp_path, chat_model, file)
    assert found.dataset["rows_too_long_ids"] == ["5"]
    assert "Left out, never cut: 1 longer than 128 tokens (row 5)" in english(found)
    assert "mail address ×1 (row 10)" in english(found)
    assert any("第 10 行" in line.zh for line in found.lines())
    assert sum(count for _, count in found.dataset["histogram"]) == 39
    assert found.dataset["histogram"][-1][0] >= found.dataset["tokens"]["longest"]
    assert sum(found.dataset["rows_of_label"].values()) == found.dataset["rows_trained"]


def test_rare_labels_and_few_held_out_rows_are_pointed_out(chat_model: Path, tmp_path: Path) -> None:
    rows = [{"text": text, "label": "rare" if n % 20 == 0 else "common"} for n, (text, _) in enumerate(ROWS)]
    said = english(preview_for(tmp_path, chat_model, as_jsonl(tmp_path, rows)))
    assert "Rare: rare; more rows of them, or `--augmentation upsample`" in said
    assert "held-out rows show a gain of more than about" in said


def test_a_base_without_a_template_is_said_and_asked_in_plain_text(plain_model: Path, tmp_path: Path) -> None:
    turns = ("user", "assistant", "user", "assistant")
    rows = [
        {"messages": [{"role": role, "content": f"{text} {n}"} for n, role in enumerate(turns)]}
        for text, _ in ROWS
    ]
    found = preview_for(tmp_path, plain_model, as_jsonl(tmp_path, rows), "generation")
    assert found.has_template is False
    assert "has no chat template, so it is asked in plain text" in english(found)
    assert "Conversations become one text" in english(found)
    assert any("没有对话模板" in line.zh for line in found.lines())


def test_settings_come_with_their_reasons_unless_they_were_asked_for(
    chat_model: Path, tmp_path: Path
) -> None:
    rows = [{"text": text, "label": tiny.LABELS[n % 3]} for n, (text, _) in enumerate(ROWS)]
    file = as_jsonl(tmp_path, rows)
    by_name = {setting.name: setting for setting in preview_for(tmp_path, chat_model, file).settings}
    assert by_name["learning_rate"].value == 1e-3
    assert by_name["learning_rate"].why is not None
    assert by_name["max_tokens"].value == 128
    assert by_name["max_tokens"].why is not None
    assert by_name["max_tokens"].why.en == "the model's context"
    asked = preview_for(tmp_path, chat_model, file, learning_rate=5e-4, epochs=2, max_tokens=100)
    by_name = {setting.name: setting for setting in asked.settings}
    assert [by_name[name].why for name in ("learning_rate", "epochs", "max_tokens")] == [None] * 3


def test_the_job_tells_it_once_in_both_languages(chat_model: Path, tmp_path: Path) -> None:
    rows = [{"text": text, "label": tiny.LABELS[n % 3]} for n, (text, _) in enumerate(ROWS)]
    spec = TuningSpec(base_model=str(chat_model), dataset=register(as_jsonl(tmp_path, rows), home=tmp_path))
    job = JobDir(job_folder(tmp_path / "job", spec, tmp_path))
    plan = plan_tuning(job, torch.device("cpu"))
    tell(job, plan)
    tell(job, plan)
    notes = [event["data"] for event in lines_of(job.path / "events.jsonl") if event["kind"] == "note"]
    assert [note["en"] for note in notes] == [line.en for line in read_preview(job.path).lines()]
    assert notes[0]["zh"].startswith("用于训练")


def test_an_estimate_starts_nothing_and_leaves_nothing(chat_model: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    url = sqlite_url(home)
    jobs = Jobs(open_store(url), home=home, database_url=url, worker_command=None)
    rows = [{"text": text, "label": tiny.LABELS[n % 3]} for n, (text, _) in enumerate(ROWS)]
    spec = TuningSpec(
        base_model=str(chat_model), dataset=jobs.register_dataset(str(as_jsonl(tmp_path, rows)))
    )
    found = jobs.preview(spec)
    assert TuningPreview.model_validate_json(found.model_dump_json()) == found
    assert found.steps == -(-found.dataset["rows_trained"] // 4)
    assert found.train_s is not None
    assert found.memory_gib is not None
    assert jobs.list() == []
    assert not (home / "jobs").exists()
    with pytest.raises(BadInput, match="longer than 16 tokens"):
        jobs.preview(spec.model_copy(update={"max_tokens": 16}))
