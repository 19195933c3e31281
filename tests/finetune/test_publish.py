"""What becomes of a result: one row per model and metric, nothing invented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finetune.folder import JobFolder, UnreadableResult
from finetune.publish import measurements_of, publish, publish_model
from finetune.spec import Candidate, DatasetRef, EvaluationSpec, TuningSpec
from finetune.state import Job
from index.catalogue.tuned import read_tuned
from index.records import Measurement
from index.store import open_store, sqlite_url

DATASET = DatasetRef(name="tickets", sha256="ab" * 32, rows=412)
NOW = "2026-11-23T06:00:00.000+00:00"


def evaluation_job() -> Job:
    spec = EvaluationSpec(candidates=(Candidate(model="acme/small"),), dataset=DATASET)
    return Job(id="7", spec=spec, owner="ana", thread=None, state="running")


def tuning_job() -> Job:
    return Job(
        id="8",
        spec=TuningSpec(base_model="acme/small", dataset=DATASET),
        owner="ana",
        thread=None,
        state="running",
    )


def figure(value: float | None = 0.8, n: int = 100) -> dict[str, Any]:
    return {"value": value, "ci95": [0.7, 0.9], "n": n}


def candidate(**changes: Any) -> dict[str, Any]:
    base = {
        "model": "acme/small", "quantization": "int8", "metrics": {"accuracy": figure()},
        "tokens_per_s": 62.0, "latency_p50_s": 0.4, "latency_p95_s": 0.9, "peak_memory_gib": 1.5,
        "items_seen": 100, "stopped": "finished", "reason": None,
    }  # fmt: skip
    return base | changes


def evaluated(*candidates: dict[str, Any]) -> dict[str, Any]:
    environment = {"device": "NVIDIA H200", "torch": "2.13.0", "seed": 0, "gpu": None}
    return {"candidates": list(candidates), "comparisons": [], "environment": environment}


def tuned(**changes: Any) -> dict[str, Any]:
    base = {
        "base_model": "acme/small", "method": "lora", "adapter": "/home/ana/.shortlist/jobs/8/adapter",
        "before": {"accuracy": figure(0.5)}, "after": {"accuracy": figure(0.75)},
        "tokens_per_s": 900.0, "peak_memory_gib": 6.0, "environment": {"device": "cpu"},
    }  # fmt: skip
    return base | changes


def rows(job: Job, result: dict[str, Any]) -> list[Measurement]:
    return measurements_of(job, result, at_utc=NOW)


def test_a_row_names_the_device_of_its_own_candidate() -> None:
    hosted = candidate(model="openai/gpt-4.1-mini", environment={"device": "API of openai"})
    local, asked = rows(evaluation_job(), evaluated(candidate(), hosted))
    assert (local.device, asked.device) == ("NVIDIA H200", "API of openai")


def test_wins_against_another_candidate_are_not_evidence_and_those_against_references_are() -> None:
    result = evaluated(candidate())
    assert rows(evaluation_job(), result | {"judge": {"against": "small"}}) == []
    assert len(rows(evaluation_job(), result | {"judge": {"against": "reference"}})) == 1


def test_a_candidate_becomes_a_row_with_all_that_is_needed_to_trust_it() -> None:
    assert rows(evaluation_job(), evaluated(candidate())) == [
        Measurement(
            job_id="7",
            model_id="acme/small",
            quantization="int8",
            task="classification",
            metric="accuracy",
            value=0.8,
            ci95_low=0.7,
            ci95_high=0.9,
            n_items=100,
            dataset_name="tickets",
            dataset_sha256="ab" * 32,
            tokens_per_s=62.0,
            latency_p50_s=0.4,
            peak_memory_gib=1.5,
            device="NVIDIA H200",
            environment={"device": "NVIDIA H200", "torch": "2.13.0", "seed": "0"},
            created_at_utc=NOW,
        )
    ]


def test_every_candidate_and_every_metric_has_its_row() -> None:
    both = {"accuracy": figure(), "f1_macro": figure(0.6)}
    result = evaluated(candidate(metrics=both), candidate(quantization="nf4"))

    told = [(row.quantization, row.metric) for row in rows(evaluation_job(), result)]
    assert told == [("int8", "accuracy"), ("int8", "f1_macro"), ("nf4", "accuracy")]


def test_a_candidate_that_failed_or_an_unknown_figure_leaves_no_row() -> None:
    failed = candidate(metrics={}, tokens_per_s=None, stopped="failed", reason="It did not fit.")
    unknown = candidate(metrics={"accuracy": figure(None)})

    assert rows(evaluation_job(), evaluated(failed, unknown)) == []


def test_a_fine_tune_becomes_the_base_and_the_tuned_model() -> None:
    before, after = rows(tuning_job(), tuned())

    assert (before.adapter, before.value) == (None, 0.5)
    assert (after.adapter, after.value) == ("job-8", 0.75)
    assert {before.model_id, after.model_id} == {"acme/small"}
    assert {before.quantization, after.quantization} == {"none"}


def test_what_an_encoder_without_a_head_is_compared_with_is_no_measurement_of_it() -> None:
    [after] = rows(tuning_job(), tuned(before_is="the commonest label"))
    assert (after.adapter, after.value) == ("job-8", 0.75)


def test_speed_and_memory_of_tuning_are_not_taken_for_those_of_serving() -> None:
    for row in rows(tuning_job(), tuned()):
        assert (row.tokens_per_s, row.peak_memory_gib) == (None, None)


def test_qlora_was_measured_on_nf4_weights() -> None:
    assert {row.quantization for row in rows(tuning_job(), tuned(method="qlora"))} == {"nf4"}


def test_an_adapter_has_one_name_wherever_it_is_measured() -> None:
    adapted = candidate(adapter="/home/ana/.shortlist/jobs/8/adapter")
    [evaluated_row] = rows(evaluation_job(), evaluated(adapted))
    _, tuned_row = rows(tuning_job(), tuned())

    assert evaluated_row.adapter == tuned_row.adapter == "job-8"


@pytest.mark.parametrize(
    ("result", "place"),
    [({}, "candidates"), (evaluated({"metrics": {}}), "candidates.0.model")],
)
def test_a_result_of_another_shape_is_a_clear_word(result: dict[str, Any], place: str) -> None:
    with pytest.raises(UnreadableResult, match=f"job 7 cannot be read: {place}") as failure:
        rows(evaluation_job(), result)

    assert "任务 7" in failure.value.to("zh")


def test_not_a_number_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"value": NaN, "ci95": [-Infinity, 0.5]}')

    assert JobFolder(tmp_path).result() == {"value": None, "ci95": [None, 0.5]}


def test_publishing_again_adds_nothing(tmp_path: Path) -> None:
    engine = open_store(sqlite_url(tmp_path))
    result = evaluated(candidate(), candidate(quantization="none"))

    assert publish(engine, evaluation_job(), result) == 2
    assert publish(engine, evaluation_job(), result) == 0


def test_a_fine_tune_becomes_a_model_of_the_team(tmp_path: Path) -> None:
    folder = tmp_path / "jobs" / "8"
    (folder / "adapter").mkdir(parents=True)
    (folder / "adapter" / "adapter_config.json").write_text("{}")
    said = tuned(
        metric="accuracy", base_licence="mit", base_facts={"params_b": 0.6}, comparison={"ci95": [0.1, 0.4]},
        method="qlora",
    )  # fmt: skip
    publish_model(folder, tuning_job(), said)
    publish_model(folder, tuning_job(), said)
    [model] = read_tuned(tmp_path)
    assert (model.id, model.based_on, model.quantization) == ("tuned/small-tickets-8", "acme/small", "nf4")
    assert (model.verdict, model.licence, model.facts) == ("better", "mit", {"params_b": 0.6})
    assert [(m.metric, m.before, m.after, m.n_items) for m in model.measured] == [
        ("accuracy", 0.5, 0.75, 100)
    ]


@pytest.mark.parametrize(
    ("interval", "verdict"), [((-0.4, -0.1), "worse"), ((-0.1, 0.2), "no clear difference")]
)
def test_a_model_that_is_not_better_is_not_called_so(
    tmp_path: Path, interval: tuple[float, float], verdict: str
) -> None:
    said = tuned(comparison={"ci95": interval}, before_is="the commonest label")
    model = publish_model(tmp_path, tuning_job(), said)
    assert model is not None
    assert (model.verdict, model.measured[0].before) == (verdict, None)


def test_an_evaluation_makes_no_model(tmp_path: Path) -> None:
    assert publish_model(tmp_path, evaluation_job(), evaluated(candidate())) is None
    assert list(tmp_path.iterdir()) == []
