"""The fine-tuning recipe as the worker runs it: the real model in a real child process, for a few steps."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from finetune.data import load, sample, split, text_hash
from finetune.models import SMOLLM2
from finetune.spec import Candidate, TuningSpec
from tests.finetune.recipe_runs import (
    evaluation,
    job_folder,
    lines_of,
    result_of,
    run,
    run_until,
    tuning,
)


@pytest.fixture(scope="module")
def tuned(home_with_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fine-tune that was killed after its first step and then ran through."""
    spec = tuning(home_with_model, learning_rate=1e-3)
    job = job_folder(tmp_path_factory.mktemp("jobs") / "1", spec, home_with_model)
    code, _ = run_until("lora", job, lambda event: event["kind"] == "loss", signal.SIGKILL)
    assert code == -signal.SIGKILL
    (job / "first-items.jsonl").write_bytes((job / "items.jsonl").read_bytes())
    ended = run("lora", job)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    return job


def test_the_result_keeps_its_contract(tuned: Path) -> None:
    result = result_of(tuned)
    assert (result["base_model"], result["method"], result["task"]) == (SMOLLM2, "lora", "causal-lm")
    assert result["steps"] == 3
    assert result["before"]["accuracy"]["n"] == result["after"]["accuracy"]["n"] == 3
    assert (result["comparison"]["a"], result["comparison"]["b"]) == ("after", "before")
    assert result["merged"] is None
    assert result["tokens_per_s"] > 0
    assert result["peak_memory_gib"] > 0.5
    assert result["environment"]["revision"].startswith("sampled-sha256:")


def test_the_loss_falls(tuned: Path) -> None:
    curve = result_of(tuned)["loss_curve"]
    assert [step for step, _, _ in curve] == [1, 2, 3]
    assert curve[-1][1] < curve[0][1]
    assert curve[-1][2] < curve[0][2]


def test_a_killed_run_goes_on_from_its_checkpoint(tuned: Path) -> None:
    events = lines_of(tuned / "events.jsonl")
    told = [event["data"] for event in events if event["kind"] == "loss"]
    losses = [[one["step"], one["train"], one["eval"]] for one in told]
    assert all(one["tokens_per_s"] > 0 and one["left_s"] >= 0 for one in told)
    assert losses in (result_of(tuned)["loss_curve"][1:], result_of(tuned)["loss_curve"][2:])
    assert not (tuned / "checkpoint.pt").exists()


def test_rows_that_were_scored_before_the_kill_are_not_scored_again(tuned: Path) -> None:
    items, first = (tuned / "items.jsonl").read_text(), (tuned / "first-items.jsonl").read_text()
    assert items.startswith(first)
    assert [item["candidate"] for item in lines_of(tuned / "items.jsonl")] == ["before"] * 3 + ["after"] * 3


def test_progress_counts_rows_and_steps_to_the_end(tuned: Path) -> None:
    events = lines_of(tuned / "events.jsonl")
    last = [event["data"] for event in events if event["kind"] == "progress"][-1]
    assert last == {"done": 9, "total": 9, "stage": "after"}


def test_the_adapter_gives_the_trained_model_back_when_reloaded_and_merged(tuned: Path) -> None:
    check = result_of(tuned)["merge_check"]
    assert check["passed"]
    assert check["reloaded_max_abs_logit_difference"] == 0
    assert 0 < check["max_abs_logit_difference"] < 1e-3


def test_the_adapter_folder_has_safetensors_a_tokenizer_and_no_path_of_this_machine(tuned: Path) -> None:
    adapter = Path(result_of(tuned)["adapter"])
    names = {file.name for file in adapter.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "README.md"} <= names
    assert "chat_template.jinja" in names
    assert not [name for name in names if name.endswith((".bin", ".pt"))]
    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == SMOLLM2
    assert str(Path.home()) not in (adapter / "README.md").read_text()


def test_the_model_card_tells_base_licence_data_and_result(tuned: Path) -> None:
    result = result_of(tuned)
    card = Path(result["model_card"]).read_text(encoding="utf-8")
    assert f"base_model: {SMOLLM2}" in card
    assert "license: apache-2.0" in card
    assert result["dataset"]["sha256"] in card
    assert f"{result['after']['accuracy']['value']:.3f} after" in card
    assert "PeftModel.from_pretrained" in card
    assert "准确率" in card


def test_the_loss_curve_is_drawn(tuned: Path) -> None:
    assert (tuned / "loss_curve.png").read_bytes().startswith(b"\x89PNG")


def test_no_held_out_row_is_learned_from(tuned: Path, home_with_model: Path) -> None:
    spec = TuningSpec.model_validate_json((tuned / "spec.json").read_text())
    rows = sample(load(spec.dataset.sha256, home=home_with_model), spec.limit, spec.seed)
    train, _ = split(rows, spec.held_out_frac, spec.seed)
    learned = set(json.loads((tuned / "adapter" / "training_texts.json").read_text()))
    assert learned == {text_hash(row.text) for row in train}
    text_of = {row.id: row.text for row in rows}
    assert not learned & {text_hash(text_of[item["row"]]) for item in lines_of(tuned / "items.jsonl")}


def test_an_adapter_is_evaluated_on_rows_that_it_has_not_seen(
    tuned: Path, home_with_model: Path, tmp_path: Path
) -> None:
    adapters = (tuned / "adapter", tmp_path)
    candidates = [Candidate(model="smollm2", adapter=str(adapter)) for adapter in adapters]
    spec = evaluation(home_with_model, *candidates, limit=2)
    job = job_folder(tmp_path / "3", spec, home_with_model)
    assert run("evaluate", job).returncode == 0
    learned = len(json.loads((tuned / "adapter" / "training_texts.json").read_text()))
    result = result_of(job)
    assert result["dataset"]["rows_left_out"] == learned
    good, none = result["candidates"]
    assert (good["label"], good["items_seen"]) == ("SmolLM2-135M-Instruct + adapter #1", 2)
    assert (none["label"], none["stopped"]) == ("SmolLM2-135M-Instruct + adapter #2", "failed")
    assert "is no adapter" in none["reason"]
    notes = [event["data"] for event in lines_of(job / "events.jsonl") if event["kind"] == "note"]
    assert f"{learned} of {spec.dataset.rows} rows" in notes[0]["en"]
    assert "适配器" in notes[0]["zh"]
