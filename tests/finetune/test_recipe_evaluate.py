"""The evaluation recipe as the worker runs it: the real model in a real child process, on a few rows."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from finetune.data import load, sample
from finetune.models import SMOLLM2
from finetune.spec import METRIC_NAMES, Candidate, EvaluationSpec
from tests.finetune.recipe_runs import (
    evaluation,
    job_folder,
    lines_of,
    result_of,
    run,
    run_until,
    unregistered,
)

ROWS = 4
CANDIDATES = (
    Candidate(model="smollm2"),
    Candidate(model="smollm2", quantization="int8"),
    Candidate(model="./no/such/model"),
    Candidate(model="smollm2", quantization="nf4"),
)


def is_finished(event: dict[str, Any]) -> bool:
    """A candidate has answered all rows; one that is refused is told of before."""
    return event["kind"] == "candidate" and event["data"]["stopped"] == "finished"


@pytest.fixture(scope="module")
def finished(home_with_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an evaluation that was cut off after its first candidate and then run to its end."""
    spec = evaluation(home_with_model, *CANDIDATES, limit=ROWS, fresh=True)
    job = job_folder(tmp_path_factory.mktemp("jobs") / "1", spec, home_with_model)
    code, log = run_until("evaluate", job, is_finished, signal.SIGTERM)
    assert (code, log) == (128 + signal.SIGTERM, "")
    (job / "first-items.jsonl").write_bytes((job / "items.jsonl").read_bytes())
    with (job / "items.jsonl").open("a") as items:
        items.write('{"candidate": "torn')
    ended = run("evaluate", job)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    return job


def candidate(job: Path, number: int) -> dict[str, Any]:
    row: dict[str, Any] = result_of(job)["candidates"][number]
    return row


def test_every_candidate_answers_the_same_rows(finished: Path, home_with_model: Path) -> None:
    spec = EvaluationSpec.model_validate_json((finished / "spec.json").read_text())
    rows = sample(load(spec.dataset.sha256, home=home_with_model), ROWS, spec.seed)
    answered: dict[str, list[tuple[str, str]]] = {}
    for line in (finished / "items.jsonl").read_text().splitlines():
        if not line.startswith('{"candidate": "torn'):
            item = json.loads(line)
            answered.setdefault(item["candidate"], []).append((item["row"], item["label"]))
    expected = [(row.id, row.label) for row in rows]
    assert set(answered) == {f"SmolLM2-135M-Instruct{q}" for q in ("", " int8", " nf4")}
    assert all(of_one == expected for of_one in answered.values())


def test_what_was_finished_before_the_cut_is_not_run_again(finished: Path) -> None:
    before = (finished / "first-items.jsonl").read_text()
    assert before.count("\n") >= ROWS
    assert (finished / "items.jsonl").read_text().startswith(before)


def test_figures_are_those_of_the_items(finished: Path) -> None:
    items = lines_of(finished / "first-items.jsonl")[:ROWS]
    accuracy = candidate(finished, 0)["metrics"]["accuracy"]
    assert accuracy["n"] == ROWS
    assert accuracy["value"] == pytest.approx(sum(item["correct"] for item in items) / ROWS)
    assert accuracy["ci95"][0] <= accuracy["value"] <= accuracy["ci95"][1]
    assert tuple(candidate(finished, 0)["metrics"]) == METRIC_NAMES["classification"]


def test_the_prediction_is_the_most_likely_label(finished: Path) -> None:
    for item in lines_of(finished / "first-items.jsonl")[:ROWS]:
        scores = item["log_likelihoods"]
        assert item["prediction"] == max(scores, key=lambda label: scores[label])
        assert item["correct"] == (item["prediction"] == item["label"])
        assert all(score < 0 for score in scores.values())


def test_a_candidate_that_cannot_be_loaded_fails_alone_and_says_why(finished: Path) -> None:
    stopped = [row["stopped"] for row in result_of(finished)["candidates"]]
    assert stopped == ["finished", "finished", "failed", "finished"]
    failed = candidate(finished, 2)
    assert "./no/such/model" in failed["reason"]
    assert "./no/such/model" in failed["reason_zh"]
    assert (failed["items_seen"], failed["metrics"], failed["tokens_per_s"]) == (0, {}, None)


def test_quantized_weights_take_less_memory_than_full_ones(finished: Path) -> None:
    full, int8, nf4 = (candidate(finished, number) for number in (0, 1, 3))
    assert full["weights_gib"] > 2 * int8["weights_gib"] > 2 * nf4["weights_gib"]
    assert all(row["peak_memory_gib"] >= row["weights_gib"] for row in (full, int8, nf4))


def test_speed_and_latency_are_measured(finished: Path) -> None:
    row = candidate(finished, 0)
    assert 0 < row["latency_p50_s"] <= row["latency_p95_s"]
    assert row["tokens_per_s"] > 0
    assert row["load_time_s"] > 0


def test_the_model_goes_by_its_hub_id_and_its_weights_by_a_revision(finished: Path) -> None:
    assert candidate(finished, 0)["model"] == SMOLLM2
    assert candidate(finished, 0)["revision"].startswith("sampled-sha256:")
    assert candidate(finished, 0)["licence"] == "apache-2.0"


def test_all_pairs_of_finished_candidates_are_compared(finished: Path) -> None:
    result = result_of(finished)
    names = {row["label"] for row in result["candidates"] if row["stopped"] == "finished"}
    pairs = [{pair["a"], pair["b"]} for pair in result["comparisons"]]
    assert len(pairs) == 3
    assert set.union(*pairs) == names
    for pair in result["comparisons"]:
        assert pair["ci95"][0] < pair["difference"] < pair["ci95"][1]
        assert (pair["metric"], pair["n"]) == ("accuracy", ROWS)


def test_so_few_rows_name_no_winner(finished: Path) -> None:
    result = result_of(finished)
    assert (result["winner"], result["verdict"]) == (None, "insufficient")
    assert result["share_of_full_cost"] == 0.75


def test_the_result_tells_with_what_it_was_measured(finished: Path) -> None:
    environment = result_of(finished)["environment"]
    assert {"device", "threads", "seed", "torch", "transformers", "bitsandbytes", "platform"} <= set(
        environment
    )
    assert all(isinstance(value, str) for value in environment.values())


def test_events_are_reported_to_the_end(finished: Path) -> None:
    events = lines_of(finished / "events.jsonl")
    rows = [event["data"] for event in events if event["kind"] == "candidate"]
    _, int8, refused, nf4 = result_of(finished)["candidates"]
    assert rows == [refused, int8, nf4]
    progress = [event["data"] for event in events if event["kind"] == "progress"]
    assert progress[-1] == {"done": 4 * ROWS, "total": 4 * ROWS, "stage": "SmolLM2-135M-Instruct nf4"}


def test_the_report_stands_alone_and_speaks_both_languages(finished: Path) -> None:
    page = Path(result_of(finished)["report"]).read_text(encoding="utf-8")
    assert not re.findall(r"<script|<link|<img|src=|href=(?!\"#)|url\(", page)
    assert "SmolLM2-135M-Instruct nf4" in page
    assert "Paired comparisons" in page
    assert "配对比较" in page
    assert "&#x27;./no/such/model&#x27;" in page


def test_a_set_that_is_gone_ends_in_one_sentence(home_with_model: Path, tmp_path: Path) -> None:
    spec = EvaluationSpec(candidates=CANDIDATES[:1], dataset=unregistered())
    job = job_folder(tmp_path / "2", spec, home_with_model)
    ended = run("evaluate", job)
    assert (ended.returncode, ended.stderr) == (1, "")
    error = json.loads((job / "error.json").read_text())
    assert (
        error["en"]
        == f"The data set {'0' * 12} is not in {home_with_model / 'datasets'} any more. Register its file again."
    )
    assert "数据集" in error["zh"]
    assert not (job / "result.json").exists()
