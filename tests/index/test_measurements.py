"""Measurements: recorded once however often they are published, and found by what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from index.measurements import find, record
from index.records import Measurement
from index.store import open_store, sqlite_url


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_store(sqlite_url(tmp_path))


def a_measurement(**known: object) -> Measurement:
    values: dict[str, object] = {
        "job_id": "1",
        "model_id": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "quantization": "none",
        "task": "classification",
        "metric": "accuracy",
        "value": 0.81,
        "n_items": 80,
        "dataset_name": "tickets",
        "dataset_sha256": "a" * 64,
        "device": "cpu",
        "environment": {"torch": "2.13"},
        "created_at_utc": "2026-11-22T10:00:00.000+00:00",
    }
    return Measurement(**(values | known))  # type: ignore[arg-type]


def test_a_measurement_comes_back_as_it_was_recorded(engine: Engine) -> None:
    measurement = a_measurement(
        adapter="tickets-r16",
        ci95_low=0.7,
        ci95_high=0.9,
        tokens_per_s=40.0,
        latency_p50_s=0.5,
        peak_memory_gib=0.6,
    )
    assert record(engine, [measurement]) == 1
    assert find(engine) == [measurement]


def test_publishing_the_same_job_twice_stores_it_once(engine: Engine) -> None:
    rows = [a_measurement(), a_measurement(adapter="tickets-r16")]
    assert record(engine, rows) == 2
    assert record(engine, rows) == 0
    assert len(find(engine)) == 2


def test_the_model_and_its_adapter_are_two_measurements(engine: Engine) -> None:
    record(engine, [a_measurement(), a_measurement(adapter="tickets-r16", value=0.92)])
    assert {(item.adapter, item.value) for item in find(engine)} == {(None, 0.81), ("tickets-r16", 0.92)}


def test_only_what_is_new_is_counted(engine: Engine) -> None:
    record(engine, [a_measurement()])
    assert record(engine, [a_measurement(), a_measurement(quantization="nf4")]) == 1


def test_nothing_to_record_is_no_error(engine: Engine) -> None:
    assert record(engine, []) == 0


def test_the_newest_measurement_comes_first(engine: Engine) -> None:
    record(
        engine,
        [
            a_measurement(job_id="2", created_at_utc="2026-11-23T10:00:00.000+00:00"),
            a_measurement(job_id="1", created_at_utc="2026-11-22T10:00:00.000+00:00"),
            a_measurement(job_id="3", created_at_utc="2026-11-24T10:00:00.000+00:00"),
        ],
    )
    assert [item.job_id for item in find(engine)] == ["3", "2", "1"]


@pytest.mark.parametrize(
    ("condition", "job_ids"),
    [
        ({"task": "summarization"}, ["2"]),
        ({"model_id": "Qwen/Qwen3-8B"}, ["3"]),
        ({"dataset_sha256": "b" * 64}, ["4"]),
        ({"task": "classification", "dataset_sha256": "a" * 64}, ["3", "1"]),
        ({"task": "code"}, []),
    ],
)
def test_measurements_are_found_by_what_was_measured(
    engine: Engine, condition: dict[str, str], job_ids: list[str]
) -> None:
    record(
        engine,
        [
            a_measurement(job_id="1"),
            a_measurement(job_id="2", task="summarization"),
            a_measurement(job_id="3", model_id="Qwen/Qwen3-8B"),
            a_measurement(job_id="4", dataset_sha256="b" * 64),
        ],
    )
    assert [item.job_id for item in find(engine, **condition)] == job_ids
